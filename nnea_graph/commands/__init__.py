"""Work of the commands, one a file; ``cli.py`` reads arguments and does nothing else."""
