"""Tables of formats: of one report, and of the results of an audit."""
