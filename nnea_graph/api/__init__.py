"""Functions that Python programs call: analyze, annotate, prune, the analyzer."""
