"""The LightGBM ranker: LambdaRank over the pools of shoppers who bought again."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recsys.arrays import Floats, Longs
from recsys.candidates.base import CandidateSource
from recsys.candidates.pool import build_pool
from recsys.errors import ArtifactError, StageError, extra
from recsys.parallel import ordered
from recsys.ranker.features import Features, Shelf, build_features, feature_names
from recsys.ranker.labels import Labels
from recsys.ranker.trees import Trees
from recsys.settings import RankerSettings
from recsys.shoppers import Shoppers
from recsys.tables import read_json

with extra("recsys"):
    import lightgbm as lgb

MODEL, CARD = "model.txt", "features.json"
CHUNK = 128
ENOUGH = 30  # with fewer shoppers the deciding ones are noise, and all rounds are run
PATIENCE = 40
MORE_TAUGHT = 1.1  # rounds, when the deciding shoppers teach as well


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Candidates of shoppers whose pool holds something they went on to buy."""

    names: tuple[str, ...]
    values: Floats  # (N, F)
    labels: Floats  # (N,)
    groups: Longs  # (G,) candidates per shopper
    asked: int  # shoppers with a purchase to predict; G of them had one in the pool


def training_set(
    shoppers: Shoppers,
    labels: Labels,
    sources: Sequence[CandidateSource],
    shelf: Shelf,
    *,
    size: int,
    mask_history: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingSet:
    """Pools and features exactly as in serving; a pool that holds no label teaches nothing."""
    buyers = np.flatnonzero((labels.lengths > 0) & (shoppers.lengths > 0))

    def lesson(rows: Longs) -> tuple[Floats, Floats, Longs]:
        chunk, relevant = shoppers.take(rows), labels.take(rows)
        pool = build_pool(chunk, sources, size, mask_history=mask_history)
        marks = relevant.mark(pool.items)
        taught = np.flatnonzero(marks.any(axis=1))
        some, marks = pool.take(taught), marks[taught]
        features = build_features(chunk.take(taught), some, shelf)
        return features.values, marks[some.real], some.real.sum(axis=1)

    portions = (buyers[start : start + CHUNK] for start in range(0, len(buyers), CHUNK))
    names = feature_names([source.name for source in sources])
    parts = [
        (np.empty((0, len(names)), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))
    ]
    for part in ordered(lesson, portions):
        parts.append(part)
        if progress:
            progress(min((len(parts) - 1) * CHUNK, len(buyers)), len(buyers))
    values, marks_, groups = (np.concatenate(part) for part in zip(*parts, strict=True))
    return TrainingSet(names, values, marks_, groups, len(buyers))


@dataclass(frozen=True, eq=False)
class Ranker:
    """A trained booster and the features it expects."""

    booster: Any
    names: tuple[str, ...]
    metrics: dict[str, float] = field(default_factory=dict)

    def predict(self, features: Features) -> Floats:
        """Scores at the places of the pool (U, P); -inf at padding."""
        self.check(features.names)
        if not len(features.values):
            return features.spread(np.empty(0, np.float32))
        if self._trees is not None:
            scores = self._trees.score(features.values)
        else:  # one thread: portions of shoppers are what is worked on side by side
            scores = self.booster.predict(features.values, num_threads=1)
        return features.spread(np.asarray(scores, np.float32))

    @cached_property
    def _trees(self) -> Trees | None:
        return Trees.of(self.booster)

    def check(self, names: Sequence[str]) -> None:
        """Refuse features of another make."""
        if tuple(names) != self.names:
            other = sorted(set(names) ^ set(self.names)) or ["another order"]
            raise ArtifactError(
                f"the ranker was trained on other features: {', '.join(other[:5])}",
                where="ranker",
                fix="train the ranker again, with the same candidate sources",
            )

    def save(self, out: Path) -> None:
        """Write the model and the names of its features into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        (out / MODEL).write_text(self.booster.model_to_string(), encoding="utf-8")
        card = {
            "features": self.names,
            "sha256": hashlib.sha256((out / MODEL).read_bytes()).hexdigest(),
            "metrics": self.metrics,
        }
        (out / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Ranker":
        """Read a ranker; one whose two files disagree is refused."""
        card = read_json(folder / CARD)
        try:
            text = (folder / MODEL).read_bytes()
            if hashlib.sha256(text).hexdigest() != card["sha256"]:
                raise ArtifactError("is not the model of its card", where=str(folder / MODEL))
            booster = lgb.Booster(model_str=text.decode())
        except (OSError, KeyError, lgb.basic.LightGBMError) as error:
            raise ArtifactError(f"not a ranker: {error}", where=str(folder / MODEL)) from error
        ranker = cls(booster, tuple(card["features"]), card["metrics"])
        ranker.check(booster.feature_name())
        return ranker


def train(
    lessons: Sequence[TrainingSet],
    settings: RankerSettings,
    seed: int,
    deciding: TrainingSet | None = None,
) -> Ranker:
    """Fit LambdaRank on earlier purchases; later ones (`deciding`) choose settings and rounds.

    What has decided then teaches too: the later the purchase, the more it is like the next one.
    The same input gives the same model.
    """
    asked, names = sum(lesson.asked for lesson in lessons), lessons[0].names
    if not asked:
        raise StageError("nobody bought again", where="ranker", fix="load more purchases")
    if not any(len(lesson.groups) for lesson in lessons):
        raise StageError(
            f"none of {asked} shoppers has a later purchase among the candidates",
            where="ranker",
            fix="load more purchases, or enlarge candidates.pool",
        )
    if deciding is None or len(deciding.groups) < ENOUGH:
        booster = lgb.train(_parameters(settings, seed), _dataset(lessons), settings.rounds)
        return Ranker(booster, names, _summary(lessons, booster, []))
    fit = _dataset(lessons)
    watch = _dataset([deciding], fit)
    # the settings as they are come first: another trial must be better to replace them
    tried = [_trial(trial, seed, fit, watch) for trial in trials(settings, seed)]
    best = max(tried, key=lambda one: max(one.curve))
    del fit, watch  # their bins are not needed any more, and large
    every = [*lessons, deciding]
    booster = lgb.train(
        _parameters(best.settings, seed), _dataset(every), round(best.rounds * MORE_TAUGHT)
    )
    return Ranker(booster, names, _summary(every, booster, best.curve))


def trials(settings: RankerSettings, seed: int) -> list[RankerSettings]:
    """The settings themselves, and random ones around them."""
    rng = np.random.default_rng(seed)
    others = [
        settings.model_copy(
            update={
                "leaves": max(2, round(settings.leaves * 2.0 ** rng.uniform(-1, 1))),
                "learning_rate": settings.learning_rate * 2.0 ** rng.uniform(-1, 0.5),
                "feature_share": float(rng.uniform(0.3, 1)),
                "least_rows": max(1, round(settings.least_rows * 3.0 ** rng.uniform(-1, 1))),
            }
        )
        for _ in range(settings.trials - 1)
    ]
    return [settings, *others]


class Trial(NamedTuple):
    """How settings did on the deciding shoppers, round by round."""

    settings: RankerSettings
    rounds: int  # after which they did best
    curve: list[float]


def _trial(settings: RankerSettings, seed: int, fit: Any, watch: Any) -> Trial:
    metrics: dict[str, dict[str, list[float]]] = {}
    booster = lgb.train(
        _parameters(settings, seed),
        fit,
        settings.rounds,
        valid_sets=[watch],
        valid_names=["deciding"],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False), lgb.record_evaluation(metrics)],
    )
    return Trial(settings, booster.best_iteration, metrics["deciding"]["ndcg@10"])


def _dataset(lessons: Sequence[TrainingSet], reference: Any = None) -> Any:
    taught = [lesson for lesson in lessons if len(lesson.groups)]
    return lgb.Dataset(
        [lesson.values for lesson in taught],  # one after another, without a copy of all
        np.concatenate([lesson.labels for lesson in taught]),
        group=np.concatenate([lesson.groups for lesson in taught]),
        feature_name=list(taught[0].names),
        reference=reference,
        params={"feature_pre_filter": False},  # trials differ in the rows a leaf holds
    )


def _parameters(settings: RankerSettings, seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "feature_fraction": settings.feature_share,
        "min_data_in_leaf": settings.least_rows,
        "lambdarank_truncation_level": 20,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbosity": -1,
    }


def _summary(lessons: Sequence[TrainingSet], booster: Any, curve: list[float]) -> dict[str, float]:
    taught = sum(len(lesson.groups) for lesson in lessons)
    asked = sum(lesson.asked for lesson in lessons)
    summary = {
        "shoppers": float(taught),
        "pool_recall": taught / max(asked, 1),
        "rounds": float(booster.best_iteration or booster.current_iteration()),
    }
    return summary | ({"deciding_ndcg_10": float(max(curve))} if curve else {})
