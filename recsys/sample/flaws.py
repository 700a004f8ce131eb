"""What is wrong with the files, on purpose: bad rows, duplicates, unknown items.

Every reason has several faces, as it has in real files.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from recsys.sample import calendar

Row = dict[str, Any]
Face = Callable[[Row, np.random.Generator], object]

UNREADABLE = "unreadable row"
_FUTURE = 2_900_000_000_000  # in 2061
_1995 = 788_918_400_000


def _set(*keys: str, to: object) -> Face:
    def change(row: Row, _: np.random.Generator) -> None:
        row.update(dict.fromkeys(keys, to))

    return change


def _without(*keys: str) -> Face:
    def change(row: Row, _: np.random.Generator) -> None:
        for key in keys:
            del row[key]

    return change


def _at(low: int, high: int) -> Face:
    def change(row: Row, rng: np.random.Generator) -> None:
        row["timestamp"] = int(rng.integers(low, high))

    return change


FACES: dict[str, tuple[Face, ...]] = {
    "no user": (_without("user_id"), _set("user_id", to=""), _set("user_id", to=None)),
    "no item": (
        _without("parent_asin", "asin"),
        _set("parent_asin", "asin", to=""),
        _set("parent_asin", "asin", to=None),
    ),
    "no time": (_without("timestamp"), _set("timestamp", to=None)),
    "time in the future": (_at(_FUTURE, _FUTURE + 3000 * calendar.DAY),),
    "time before 1995": (_set("timestamp", to=0), _at(_1995 // 8, _1995 - calendar.DAY)),
    "rating outside 1-5": (
        _set("rating", to=0.0),
        _set("rating", to=6.0),
        _set("rating", to=-1.0),
        _set("rating", to=50.0),
    ),
}
REASONS = (UNREADABLE, *FACES)


def spoil(line: str, reason: str, rng: np.random.Generator) -> str:
    """Make a good line (without its end) bad for one reason."""
    if reason == UNREADABLE:
        return tear(line, rng)
    row = json.loads(line)
    faces = FACES[reason]
    faces[int(rng.integers(len(faces)))](row, rng)
    return json.dumps(row, ensure_ascii=False)


def tear(line: str, rng: np.random.Generator) -> str:
    """Cut a line short, or replace it by what never was a row."""
    if rng.random() < 0.3:
        return "<html><body>503 Service Temporarily Unavailable</body></html>"
    return line[: int(rng.integers(len(line) // 4, len(line) * 3 // 4))]
