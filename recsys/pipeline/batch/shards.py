"""Score one shard of the shoppers into a file; put the files of all shards together.

The shards of a version of the lists lie in `batch/<version>/` until the lists are made. A file is
there whole or not at all, so a run that was killed, or a task that is retried, goes on with the
shards that are missing. Shards are pieces of one order: the lists are the same for any number.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recsys.artifacts.files import sync
from recsys.catalogue import Catalogue
from recsys.errors import StageError, extra
from recsys.pipeline.batch.pace import Pace
from recsys.pipeline.batch.rows import SCHEMA, table_of
from recsys.pipeline.parts import shoppers_at
from recsys.pipeline.stage import Context
from recsys.recommend import Recommender
from recsys.tables import Shard

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

MOMENT = "serve"
_ROWS = 16_384  # of a row group of what is put together


@dataclass(frozen=True)
class ShardDone:
    """What came of one shard."""

    shard: int
    lists: int
    seconds: float
    skipped: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def work_folder(home: Path, version: str) -> Path:
    """Where the shards of a version of the lists lie."""
    return home.resolve() / "batch" / version


def shard_file(folder: Path, shard: Shard) -> Path:
    """The file of one shard."""
    return folder / f"{shard[0]:04}-of-{shard[1]:04}.parquet"


def check(shard: Shard) -> None:
    """Refuse a shard that there can't be."""
    if not 0 <= shard[0] < shard[1]:
        raise StageError(
            f"no shard {shard[0]} of {shard[1]}", where="batch", fix="shards count from 0"
        )


def score_shard(
    context: Context, recommender: Recommender, catalogue: Catalogue, folder: Path, shard: Shard
) -> ShardDone:
    """Make the lists of one shard, unless they are there already."""
    check(shard)
    path, began = shard_file(folder, shard), time.monotonic()
    if path.exists():
        return ShardDone(shard[0], pq.read_metadata(path).num_rows, 0.0, skipped=True)
    shoppers = shoppers_at(context.inputs, MOMENT, catalogue, shard)
    folder.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{time.time_ns():x}")
    pace = Pace(len(shoppers), shard=f"{shard[0]} of {shard[1]}")
    with pq.ParquetWriter(aside, SCHEMA) as writer:
        length = context.settings.lists.length
        for part in recommender.stream(shoppers, length, explain=True):
            writer.write_table(table_of(part, catalogue, shoppers.as_of))
            pace.step(len(part))
            context.observer.progress("lists", pace.done, len(shoppers))
    sync(aside)
    aside.replace(path)
    return ShardDone(shard[0], pace.done, round(time.monotonic() - began, 2))


def complete(folder: Path) -> int:
    """How many shards a folder was cut into, if all of them are there; else 0."""
    found: dict[int, int] = {}
    for path in folder.glob("????-of-????.parquet"):
        shards = int(path.stem.rpartition("-")[2])
        found[shards] = found.get(shards, 0) + 1
    return next((shards for shards, files in sorted(found.items()) if files == shards), 0)


def gather(folder: Path, shards: int, out: Path) -> dict[str, Any]:
    """Put all shards together in one file; returns what to tell of them."""
    told: dict[str, dict[str, int]] = {"rungs": {}, "reasons": {}}
    rows = 0
    with pq.ParquetWriter(out, SCHEMA) as writer:
        for table in _tables(folder, shards):
            writer.write_table(table)
            rows += table.num_rows
            for name, column in (("rungs", "rung"), ("reasons", "why")):
                _count(told[name], table[column])
    return {"lists": rows, **told}


def _tables(folder: Path, shards: int) -> Iterator[pa.Table]:
    for shard in range(shards):
        source = pq.ParquetFile(shard_file(folder, (shard, shards)))
        held: list[pa.RecordBatch] = []
        for batch in source.iter_batches(batch_size=_ROWS):
            held.append(batch)
            if sum(map(len, held)) >= _ROWS:
                yield pa.Table.from_batches(held)
                held = []
        if held:
            yield pa.Table.from_batches(held)


def _count(counts: dict[str, int], column: pa.ChunkedArray) -> None:
    for one in pc.value_counts(column).to_pylist():
        counts[one["values"]] = counts.get(one["values"], 0) + one["counts"]


__all__ = [
    "ShardDone",
    "check",
    "complete",
    "gather",
    "score_shard",
    "shard_file",
    "work_folder",
]
