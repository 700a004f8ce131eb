"""The offline report: one HTML page that needs nothing else, and the same numbers as JSON."""
