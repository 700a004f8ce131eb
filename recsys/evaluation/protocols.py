"""Who is measured, and on what: the temporal protocol.

One global moment parts past and future, as it does when the lists are served. (Leave-one-out, the
usual alternative, lets a model learn from purchases later than another shopper's target.)
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from recsys.errors import TailorError, extra

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds


class Targets(NamedTuple):
    """Shoppers and the one item each is measured on, row by row."""

    user_ids: list[str]
    item_ids: list[str]


def seeded_hash(seed: int, name: str) -> str:
    """Key of the order that breaks ties: it knows nothing of ids, files or time."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def temporal(purchases: Path, start: datetime, end: datetime, *, seed: int) -> Targets:
    """First purchase in [start, end) of each shopper who bought something before `start`.

    Items bought at the same first instant are equally right; a seeded hash picks one of them. The
    order of shoppers is a seeded hash too, so neither tells anything about the source files.
    """
    _refuse_empty(start, end)
    table = ds.dataset(purchases, format="parquet")
    when, kind = pc.field("event_timestamp"), table.schema.field("event_timestamp").type
    opened, closed = _moment(start, kind), _moment(end, kind)
    window = table.to_table(
        columns=["user_id", "item_id", "event_timestamp"],
        filter=(when >= opened) & (when < closed),
    )
    known = table.to_table(columns=["user_id"], filter=when < opened)["user_id"].unique()
    window = window.filter(pc.is_in(window["user_id"], value_set=known))
    chosen = _pick(_first_instants(window), seed)
    user_ids = sorted(chosen, key=lambda user: seeded_hash(seed, user))
    return Targets(user_ids, [chosen[user] for user in user_ids])


def _refuse_empty(start: datetime, end: datetime) -> None:
    if start.tzinfo is None or end.tzinfo is None:
        raise TailorError("a moment has no time zone", where="temporal", fix="pass UTC datetimes")
    if start >= end:
        raise TailorError(
            f"the window from {start.isoformat()} to {end.isoformat()} is empty",
            where="temporal",
            fix="pass start < end",
        )


def _moment(at: datetime, kind: Any) -> Any:
    """`at` in the table's own timestamp type; one without a zone (INT96 of Spark) means UTC."""
    utc = at.astimezone(UTC)
    return pa.scalar(utc if kind.tz else utc.replace(tzinfo=None), type=kind)


def _first_instants(window: Any) -> Iterable[tuple[str, str]]:
    """(user, item) of the rows that stand at their shopper's first instant."""
    first = window.group_by("user_id").aggregate([("event_timestamp", "min")])
    both = window.join(first, keys="user_id")
    both = both.filter(pc.equal(both["event_timestamp"], both["event_timestamp_min"]))
    return zip(both["user_id"].to_pylist(), both["item_id"].to_pylist(), strict=True)


def _pick(pairs: Iterable[tuple[str, str]], seed: int) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for user, item in pairs:
        rival = chosen.setdefault(user, item)
        if rival != item:
            chosen[user] = min(rival, item, key=lambda each: seeded_hash(seed, each))
    return chosen
