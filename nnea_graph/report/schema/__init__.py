"""The JSON schema, one part a file."""
