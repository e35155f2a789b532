"""Units that are zeroed in ablations, and the baselines they are compared with."""
