"""Training of the hypernetwork, the base model frozen."""

from personalizer.train.engine import Learned, Progress, Recipe, Step, fit
from personalizer.train.goals import goal_of
from personalizer.train.multitask import train_on_tasks
from personalizer.train.pairs import mean_loss, parted, train
from personalizer.train.tasks import Experience

__all__ = [
    "Experience",
    "Learned",
    "Progress",
    "Recipe",
    "Step",
    "fit",
    "goal_of",
    "mean_loss",
    "parted",
    "train",
    "train_on_tasks",
]
