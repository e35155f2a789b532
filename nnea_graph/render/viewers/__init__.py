"""Facts in the files that model viewers take."""
