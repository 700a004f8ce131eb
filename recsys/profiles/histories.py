"""Histories as of a moment, from the features and the tables, as the profiles read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from personalizer.profiles.history import History, Item, Purchase
from recsys.arrays import Floats
from recsys.tables import read_table

__all__ = ["catalogue", "histories", "user_vectors"]


def catalogue(items: Path, item_stats: Path) -> dict[str, Item]:
    """Every item with what a profile may say of it; prices stand as they did at the moment."""
    stats = read_table(item_stats, ["item_id", "price_level"])
    level = dict(zip(*(stats[name].to_pylist() for name in stats.column_names), strict=True))
    columns = ["item_id", "title", "categories", "brand"]
    table = read_table(items, columns)
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return {
        item: Item(item, title or "", tuple(path or ()), brand or "", level.get(item))
        for item, title, path, brand in rows
    }


def histories(user_history: Path, known: Mapping[str, Item], as_of: datetime) -> list[History]:
    """Each shopper's purchases strictly before the moment, oldest first."""
    columns = ["user_id", "item_ids", "item_times", "history_hash"]
    table = read_table(user_history, columns)
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    limit = int(as_of.timestamp())
    return [
        History(user, _purchases(items, times, known, limit), digest=digest)
        for user, items, times, digest in rows
    ]


def _purchases(
    items: Sequence[str], times: Sequence[int], known: Mapping[str, Item], limit: int
) -> tuple[Purchase, ...]:
    """The features hold nothing later; a history that did would be cut here."""
    return tuple(
        Purchase(known.get(item) or Item(item, ""), time)
        for item, time in zip(items, times, strict=True)
        if time < limit
    )


def user_vectors(user_embedding: Path, users: Sequence[str]) -> Floats:
    """Each shopper's taste (U, D), zeros where unknown."""
    table: Any = read_table(user_embedding, ["user_id", "embedding"])
    names = table["user_id"].to_pylist()
    vectors = np.array(table["embedding"].to_pylist(), np.float32)
    row_of = {name: row for row, name in enumerate(names)}
    found = np.zeros((len(users), vectors.shape[1] if len(names) else 0), np.float32)
    for row, user in enumerate(users):
        if user in row_of:
            found[row] = vectors[row_of[user]]
    return found
