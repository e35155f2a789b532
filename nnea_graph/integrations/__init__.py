"""nnea-graph inside of other people's tools, one a file; each imports its tool."""
