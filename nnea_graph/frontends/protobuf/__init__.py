"""Safe, lazy, bounded reading of protobuf bytes."""
