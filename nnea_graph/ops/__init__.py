"""What an operator does, as pure functions of its shapes, attributes and small known values."""
