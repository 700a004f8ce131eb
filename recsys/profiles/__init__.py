"""The profile of every shopper: whose is due, who writes it, what it cost, where it is kept."""
