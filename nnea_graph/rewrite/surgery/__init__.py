"""The model without the removed indices."""
