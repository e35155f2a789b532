"""Rules with stable ids, and the functions that raise them."""
