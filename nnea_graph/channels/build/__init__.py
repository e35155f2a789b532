"""The walk over the operators that builds the channel graph."""
