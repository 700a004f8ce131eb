"""Do no harm: which rung of the ladder serves whom, decided by slice on validation shoppers.

A release carries its decision. `recsys.recommend` obeys it and says so in the reason code; where
there is none, nothing is held back.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys.arrays import Bools, Longs, Objects
from recsys.evaluation.intervals import difference_interval
from recsys.evaluation.metrics import Numbers
from recsys.evaluation.slices import HISTORIES
from recsys.ladder import Rung
from recsys.tables import read_json

FILE = "decision.json"
LEVEL = 0.95  # of all comparisons together
HIGHEST = Rung.ADAPTED_LM

Gains = Mapping[Rung, Numbers]
"""NDCG of each deciding shopper (U,), by the rung that made her list."""


@dataclass(frozen=True)
class Evidence:
    """A paired difference of NDCG between a rung and the next one below, on the same shoppers."""

    rung: Rung
    against: Rung
    n: int
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Choice:
    """The highest rung that serves some shoppers, and what that rests on."""

    rung: Rung
    why: str
    n: int
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Part:
    """A slice that is known when a list is asked for: by the purchases known of the shopper."""

    least: int
    most: int | None  # both ends included; None: no end
    choice: Choice

    def holds(self, lengths: Longs) -> Bools:
        """Who stands in it (U,)."""
        inside: Bools = (lengths >= self.least) & (
            lengths <= (np.iinfo(np.int64).max if self.most is None else self.most)
        )
        return inside


@dataclass(frozen=True)
class Decision:
    """What serves by default, and what serves each slice."""

    default: Choice
    slices: Mapping[str, Part] = field(default_factory=dict)
    decided_on: str = ""

    def rungs(self, lengths: Longs) -> Objects:
        """The highest rung that may serve each shopper (U,), by her history's length."""
        rungs = np.array([self.default.rung] * len(lengths), object)
        for part in self.slices.values():
            rungs[part.holds(lengths)] = part.choice.rung
        return rungs

    @cached_property
    def in_use(self) -> frozenset[Rung]:
        """The rungs that serve anybody."""
        return frozenset((self.default.rung, *(part.choice.rung for part in self.slices.values())))

    @cached_property
    def document(self) -> dict[str, Any]:
        """As `decision.json` and the report have it."""
        return {
            "default": asdict(self.default),
            "slices": {name: asdict(part) for name, part in self.slices.items()},
            "decided_on": self.decided_on,
        }

    def write(self, folder: Path) -> None:
        """Write it into an artifact."""
        text = json.dumps(self.document, indent=1)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote."""
        told = read_json(folder / FILE)
        slices = {
            name: Part(part["least"], part["most"], _choice(part["choice"]))
            for name, part in told["slices"].items()
        }
        return cls(_choice(told["default"]), slices, told["decided_on"])


def _choice(told: Mapping[str, Any]) -> Choice:
    evidence = tuple(
        Evidence(
            Rung(one["rung"]),
            Rung(one["against"]),
            one["n"],
            one["difference"],
            (one["interval"][0], one["interval"][1]),
        )
        for one in told["evidence"]
    )
    return Choice(Rung(told["rung"]), told["why"], told["n"], evidence)


def decide(
    gains: Gains, lengths: Longs, *, least: int, seed: int, decided_on: str = ""
) -> Decision:
    """Decide for everyone and for each slice by history length.

    `lengths` (U,) are those of the same shoppers' histories. A slice with fewer than `least` of
    them is served like everyone. Intervals are wider than 95 %, so that all of them together hold
    as often as that.
    """
    level = 1 - (1 - LEVEL) / (1 + len(HISTORIES))
    everyone = np.ones(len(lengths), bool)
    default = _choose(gains, everyone, level, seed)
    parts: dict[str, Part] = {}
    for name, (low, high) in HISTORIES.items():
        inside = Part(low, high, default).holds(lengths)
        n = int(inside.sum())
        choice = (
            _choose(gains, inside, level, seed)
            if n >= least
            else Choice(default.rung, f"{n} shoppers are too few to tell: as for everyone", n)
        )
        parts[name] = Part(low, high, choice)
    return Decision(default, parts, decided_on)


def undecided(highest: Rung, why: str) -> Decision:
    """Hold nothing back below `highest`: there was nothing to decide on."""
    return Decision(Choice(highest, why, 0))


def _choose(gains: Gains, inside: Bools, level: float, seed: int) -> Choice:
    """The model serves where it is shown to help; the group's list, where it is shown to be better.

    In doubt the ranker serves: without a model it costs less, and it knows the shopper herself.
    """
    n, evidence = int(inside.sum()), []

    def compared(rung: Rung, against: Rung) -> Evidence:
        ours, theirs = gains[rung][inside], gains[against][inside]
        found = difference_interval(ours, theirs, seed=seed, level=level)
        one = Evidence(rung, against, n, found.mean, (found.low, found.high))
        evidence.append(one)
        return one

    chosen, why = Rung.RANKER, "the language model has no weight in this release"
    if Rung.ADAPTED_LM in gains:
        helps = compared(Rung.ADAPTED_LM, Rung.RANKER)
        why = _verdict_on_model(helps)
        chosen = Rung.ADAPTED_LM if helps.interval[0] > 0 else Rung.RANKER
    if Rung.PERSONA in gains and compared(chosen, Rung.PERSONA).interval[1] < 0:
        chosen, why = Rung.PERSONA, "the favourites of her group do better than her own list"
    return Choice(chosen, why, n, tuple(evidence))


def _verdict_on_model(helps: Evidence) -> str:
    low, high = helps.interval
    if low > 0:
        return "the adapted model is shown to help"
    return "the adapted model does harm" if high < 0 else "the adapted model is not shown to help"
