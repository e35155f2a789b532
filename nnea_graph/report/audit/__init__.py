"""Gates of a pre-deployment audit: a policy, and a report checked against it."""
