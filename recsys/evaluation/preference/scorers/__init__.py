"""Scorers of the preference task: each scores the options of questions; a member registers."""

from recsys.evaluation.preference.scorers import links, personalised, prompted, simple
from recsys.evaluation.preference.scorers.base import SCORERS, Scorer, Scores, chosen, register

__all__ = [
    "SCORERS",
    "Scorer",
    "Scores",
    "chosen",
    "links",
    "personalised",
    "prompted",
    "register",
    "simple",
]
