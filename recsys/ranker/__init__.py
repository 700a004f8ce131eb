"""The ranker: features of a shopper and a candidate, a LightGBM model, and why it ranks so."""

from recsys.ranker.explain import Contribution, contributions, reason_of, reasons_of
from recsys.ranker.features import Features, Shelf, build_features, feature_names
from recsys.ranker.labels import Labels, Targets
from recsys.ranker.model import Ranker, TrainingSet, train, training_set

__all__ = [
    "Contribution",
    "Features",
    "Labels",
    "Ranker",
    "Shelf",
    "Targets",
    "TrainingSet",
    "build_features",
    "contributions",
    "feature_names",
    "reason_of",
    "reasons_of",
    "train",
    "training_set",
]
