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
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"can't be read: {error}", where=str(path), fix=REBUILD) from error


def hash_order(ids: Sequence[str]) -> Longs:
    """Order ids so that the order carries no information and is the same in every run."""
    keys = [hashlib.sha256(i.encode()).digest() for i in ids]
    return np.array(sorted(range(len(ids)), key=keys.__getitem__), np.int64)
