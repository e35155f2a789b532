"""Many models: found, analyzed each in a process of its own, journaled."""
