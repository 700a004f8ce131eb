"""The online service: recommendations, features, events and the console over HTTP."""
