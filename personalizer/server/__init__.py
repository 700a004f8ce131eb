"""The model server: scores, adapters and text over HTTP, many shoppers in one batch."""
