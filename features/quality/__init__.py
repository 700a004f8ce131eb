"""The quality watch: schemas at every border, and what is unusual about the values."""
