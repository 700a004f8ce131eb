"""Published methods to measure against: each scores the whole catalogue for every shopper."""

from recsys.evaluation.baselines.als import Als
from recsys.evaluation.baselines.base import BASELINES, Baseline, chosen, register
from recsys.evaluation.baselines.content import Bm25Content
from recsys.evaluation.baselines.ease import Ease
from recsys.evaluation.baselines.item_knn import ItemKnn
from recsys.evaluation.baselines.popularity import Popularity
from recsys.evaluation.baselines.sasrec import SasRecBaseline
from recsys.evaluation.baselines.transition import TransitionGraph

__all__ = [
    "BASELINES",
    "Als",
    "Baseline",
    "Bm25Content",
    "Ease",
    "ItemKnn",
    "Popularity",
    "SasRecBaseline",
    "TransitionGraph",
    "chosen",
    "register",
]
