"""What the commands do, one a file; ``cli.py`` only reads arguments."""
