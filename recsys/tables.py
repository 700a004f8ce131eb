"""Reading Parquet folders and JSON cards, with errors that name the file."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recsys.arrays import Longs
from recsys.errors import ArtifactError, extra

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

REBUILD = "run the pipeline again, or restore the folder"


def read_table(folder: Path, columns: Sequence[str] | None = None, filters: Any = None) -> Any:
    """Read a Parquet folder (or file) as one Arrow table."""
    try:
        return pq.read_table(folder, columns=list(columns) if columns else None, filters=filters)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"can't be read: {error}", where=str(folder), fix=REBUILD) from error


def read_json(path: Path) -> Any:
    """Read a small JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"can't be read: {error}", where=str(path), fix=REBUILD) from error


def read_array(path: Path) -> Any:
    """Open a .npy file by memory map."""
    try:
        # the view is a plain array: one of a memory map costs more at every step
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"can't be read: {error}", where=str(path), fix=REBUILD) from error


Shard = tuple[int, int]
"""Which piece (from 0) of how many."""
WHOLE: Shard = (0, 1)


def read_shard(folder: Path, columns: Sequence[str], shard: Shard = WHOLE) -> Any:
    """Read the rows of one shard of the shoppers; the others pass by, a batch at a time.

    Shards are cut from the order of `hash_order`: one after the other, they are that order.
    """
    if shard == WHOLE:
        return read_table(folder, columns)
    try:
        batches = ds.dataset(folder, format="parquet").to_batches(columns=list(columns))
        kept = [batch.filter(_inside(batch, shard)) for batch in batches]
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"can't be read: {error}", where=str(folder), fix=REBUILD) from error
    schema = kept[0].schema if kept else None
    return pa.Table.from_batches(kept, schema)


def shard_of(user_id: str, shards: int) -> int:
    """Which of the shards a shopper is in."""
    first = hashlib.sha256(user_id.encode()).digest()[:8]
    return int.from_bytes(first, "big") * shards >> 64


def _inside(batch: Any, shard: Shard) -> Any:
    users = batch.column("user_id").to_pylist()
    return pa.array([shard_of(user, shard[1]) == shard[0] for user in users], pa.bool_())


def hash_order(ids: Sequence[str]) -> Longs:
    """Order ids so that the order carries no information and is the same in every run."""
    keys = [hashlib.sha256(i.encode()).digest() for i in ids]
    return np.array(sorted(range(len(ids)), key=keys.__getitem__), np.int64)
