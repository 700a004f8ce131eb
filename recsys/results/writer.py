"""Write shoppers' lists and read them back. Writing the same thing twice leaves it once."""

import math
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, and_, delete, or_, select

from recsys.results.bulk import copies, copy_upsert
from recsys.results.database import speaking
from recsys.results.errors import ResultsError
from recsys.results.models import ProfileFailure, PurchaseEvent, Recommendation
from recsys.results.retry import transact
from recsys.results.upsert import upsert

CHUNK = 2_000
"""Whole lists in a transaction."""


class Entry(NamedTuple):
    """One place of a list."""

    item_id: str
    score: float
    reason: str


class ShopperList(NamedTuple):
    """One shopper's whole list, best first, with the rung that made it and why that one."""

    user_id: str
    entries: tuple[Entry, ...]
    rung: str
    why: str = ""


def write_lists(
    engine: Engine, release_id: str, rows: Iterable[ShopperList], *, chunk: int = CHUNK
) -> int:
    """Write each shopper's list in place of the one before; returns how many lists.

    A transaction holds `chunk` whole lists, so a reader never sees a part of one, and a writer
    killed halfway can start over.
    """
    written, rest = 0, iter(rows)
    while lists := list(islice(rest, chunk)):
        # the last one of a shopper counts; one order for all writers, so that none deadlock
        latest = {each.user_id: each for each in lists}
        ordered = [latest[user] for user in sorted(latest)]
        transact(engine, partial(_replace, release_id=release_id, lists=ordered))
        written += len(ordered)
    return written


def lists_of(engine: Engine, release_id: str, user_id: str) -> ShopperList | None:
    """Read one shopper's list in a release; None where there is none."""
    table = Recommendation.__table__.c
    mine = and_(table.release_id == release_id, table.user_id == user_id)
    query = select(Recommendation.__table__).where(mine).order_by(table.rank)
    with speaking(engine), engine.connect() as connection:
        rows = connection.execute(query).all()
    if not rows:
        return None
    entries = tuple(Entry(row.item_id, row.score, row.reason) for row in rows)
    return ShopperList(user_id, entries, rows[0].rung, rows[0].why)


def erase(engine: Engine, user_id: str) -> int:
    """Delete a shopper from all tables that name her; returns how many rows went."""
    tables = (Recommendation, ProfileFailure, PurchaseEvent)
    gone = [delete(table).where(table.user_id == user_id) for table in tables]
    return transact(engine, lambda connection: sum(connection.execute(g).rowcount for g in gone))


def _replace(connection: Connection, release_id: str, lists: list[ShopperList]) -> None:
    """Overwrite the places that are listed, then drop those of a longer list before."""
    rows = _rows(release_id, lists)
    if copies(connection):
        names = [column.name for column in Recommendation.__table__.columns]
        copy_upsert(connection, Recommendation, ([row[name] for name in names] for row in rows))
    else:
        upsert(connection, Recommendation, list(rows))
    by_length: dict[int, list[str]] = {}
    for each in lists:
        by_length.setdefault(len(each.entries), []).append(each.user_id)
    table = Recommendation
    too_long = [
        and_(table.user_id.in_(users), table.rank > length) for length, users in by_length.items()
    ]
    connection.execute(delete(table).where(table.release_id == release_id, or_(*too_long)))


def _rows(release_id: str, lists: Iterable[ShopperList]) -> Iterator[dict[str, Any]]:
    for user_id, entries, rung, why in lists:
        for rank, entry in enumerate(entries, start=1):
            if not math.isfinite(entry.score):
                raise ResultsError(
                    f"the score {entry.score} of item {entry.item_id!r} is not a number",
                    where=f"list of shopper {user_id!r}",
                    fix="leave such items out of the list",
                )
            yield {
                "release_id": release_id,
                "user_id": user_id,
                "rank": rank,
                "rung": rung,
                "why": why,
                **entry._asdict(),
            }
