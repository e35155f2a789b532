"""Models of known cost, made on the fly: nothing large is stored."""
