"""Preview of a pruning: what could go, what that changes, and what it would save."""
