"""Raw purchase files to point-in-time features, the Feast repository and online look-up.

Imports nothing else of this project: embeddings and profiles are handed in as callables.
"""
