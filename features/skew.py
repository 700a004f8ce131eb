"""The skew check: what is read online must be what is computed offline, value by value."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 10
TOLERANCE = 1e-6
"""Relative: stores may keep floats in 32 bits, but nothing else may change a value."""


@dataclass(frozen=True)
class Mismatch:
    """One value that differs."""

    key: str
    feature: str
    online: Any
    offline: Any


@dataclass(frozen=True)
class Skew:
    """How many rows were compared, how many values differ, and some of them."""

    checked: int
    mismatches: int
    examples: tuple[Mismatch, ...]


def skew(
    online: Mapping[str, Mapping[str, Any]],
    offline: Mapping[str, Mapping[str, Any]],
    features: Sequence[str],
) -> Skew:
    """Compare rows by key; a row that only one side has differs in every feature."""
    found = list(_different(online, offline, features))
    return Skew(len({*online, *offline}), len(found), tuple(found[:SHOWN]))


def _different(
    online: Mapping[str, Mapping[str, Any]],
    offline: Mapping[str, Mapping[str, Any]],
    features: Sequence[str],
) -> Iterable[Mismatch]:
    for key in sorted({*online, *offline}):
        here, there = online.get(key, {}), offline.get(key, {})
        for name in features:
            if not same(here.get(name), there.get(name)):
                yield Mismatch(key, name, here.get(name), there.get(name))


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, list by list and number by number.

    Null and the empty list are the same: stores keep no difference between them.
    """
    if _nothing(one) or _nothing(other):
        return _nothing(one) and _nothing(other)
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    if isinstance(one, Iterable) and isinstance(other, Iterable):
        left, right = list(one), list(other)
        return len(left) == len(right) and all(map(same, left, right))
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _nothing(value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return not isinstance(value, str) and hasattr(value, "__len__") and len(value) == 0
