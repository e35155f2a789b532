"""A pruned model beside its original: sound, alike, smaller, faster, each of it measured."""
