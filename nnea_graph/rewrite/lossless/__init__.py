"""What can go from a model without any change of what it gives: channels that do nothing, tensors stored twice."""
