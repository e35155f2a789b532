"""What the commands do, one a file; ``cli.py`` reads arguments and does nothing else."""
