"""Work of an operator, as pure functions of its shapes, attributes and small known values."""
