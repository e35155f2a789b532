"""The channel graph while it is made: what is seen of the model, what is written, and the means of the rules."""
