"""The ranker: features of a shopper and a candidate, a LightGBM model, and why it ranks so."""

from recsys.ranker.explain import (
    Contribution,
    Explanation,
    Origin,
    contributions,
    explain_item,
    origins,
    reasons_of,
)
from recsys.ranker.features import Features, Shelf, build_features, feature_names
from recsys.ranker.labels import Labels, Targets
from recsys.ranker.model import Ranker, TrainingSet, train, training_set
from recsys.ranker.words import in_words

__all__ = [
    "Contribution",
    "Explanation",
    "Features",
    "Labels",
    "Origin",
    "Ranker",
    "Shelf",
    "Targets",
    "TrainingSet",
    "build_features",
    "contributions",
    "explain_item",
    "feature_names",
    "in_words",
    "origins",
    "reasons_of",
    "train",
    "training_set",
]
