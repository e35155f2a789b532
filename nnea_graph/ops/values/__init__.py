"""Values of constant expressions, one family a file."""
