"""Training of the hypernetwork, the base model frozen."""

from personalizer.train.pairs import mean_loss, train

__all__ = ["mean_loss", "train"]
