"""Work of the operators, one family a file; see ``ops/work.py`` for the conventions."""
