"""Schema objects made from facts, section by section."""
