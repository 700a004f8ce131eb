"""Which of a few products did this shopper buy? The preference task, its scorers, its figures."""
