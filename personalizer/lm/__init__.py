"""The base language model: trained on the catalogue (`tiny`) or loaded from anywhere."""
