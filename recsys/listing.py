"""The lists of a release as files: what the pipeline writes, the publish and the readers read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recsys.errors import extra
from recsys.results.writer import Entry, ShopperList

with extra("recsys"):
    import pyarrow.parquet as pq

LISTS = "lists.parquet"
DEFAULT = "default.json"  # the list of whoever has none


def shopper_lists(folder: Path) -> Iterator[ShopperList]:
    """Stream all lists of an artifact."""
    yield from lists_in(folder / LISTS)


def lists_in(file: Path) -> Iterator[ShopperList]:
    """Stream all lists of a file."""
    for batch in pq.ParquetFile(file).iter_batches(batch_size=2_000):
        yield from map(_from_row, batch.to_pylist())


def list_in(folder: Path, user_id: str) -> ShopperList | None:
    """One shopper's list in an artifact."""
    rows = pq.read_table(folder / LISTS, filters=[("user_id", "==", user_id)]).to_pylist()
    return _from_row(rows[0]) if rows else None


def default_list(folder: Path) -> tuple[Entry, ...]:
    """The list of whoever has none."""
    entries = json.loads((folder / DEFAULT).read_text(encoding="utf-8"))
    return tuple(Entry(**entry) for entry in entries)


def _from_row(row: dict[str, Any]) -> ShopperList:
    places = zip(row["item_ids"], row["scores"], row["reasons"], strict=True)
    entries = tuple(Entry(item, score, reason) for item, score, reason in places)
    return ShopperList(row["user_id"], entries, row["rung"], row["why"])
