"""Results of an audit as the programs of a build server read them."""
