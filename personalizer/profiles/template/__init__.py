"""Profiles without a model: facts by counting, sentences by what is distinctive."""
