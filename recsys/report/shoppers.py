"""Gains of each measured shopper, kept so that two reports can be compared pair by pair.

Shoppers stand under a digest of their id: enough to pair them, and no list of ids.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys.arrays import Longs
from recsys.errors import extra
from recsys.evaluation.metrics import Numbers

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

FILE = "shoppers.parquet"
HEADLINE = "tailor"


@dataclass(frozen=True)
class Gains:
    """NDCG by method, and the item each shopper was asked for."""

    digests: Sequence[str]
    targets: Sequence[str]
    methods: Mapping[str, Numbers]

    def of(self, user_ids: Sequence[str] | Any) -> tuple[Numbers, Longs]:
        """What serves, for those of some shoppers who are known: (gains, their rows)."""
        row_of = {digest: row for row, digest in enumerate(self.digests)}
        found = [(row_of.get(digest(str(user))), row) for row, user in enumerate(user_ids)]
        known = [(mine, row) for mine, row in found if mine is not None]
        at = np.array([mine for mine, _ in known], np.int64)
        return self.methods[HEADLINE][at], np.array([row for _, row in known], np.int64)

    def paired(self, other: Self) -> tuple[Longs, Longs]:
        """Rows of the same shoppers asked for the same item, in both."""
        row_of = {
            pair: row for row, pair in enumerate(zip(self.digests, self.targets, strict=True))
        }
        theirs = zip(other.digests, other.targets, strict=True)
        both = [(row_of[pair], row) for row, pair in enumerate(theirs) if pair in row_of]
        return np.array([a for a, _ in both], np.int64), np.array([b for _, b in both], np.int64)


def digest(user_id: str) -> str:
    """Stand for a shopper."""
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def write_gains(gains: Gains, folder: Path) -> None:
    """Write them beside the report."""
    columns: dict[str, Any] = {"shopper": list(gains.digests), "target": list(gains.targets)}
    columns |= {f"ndcg {name}": values for name, values in gains.methods.items()}
    pq.write_table(pa.table(columns), folder / FILE)


def read_gains(folder: Path) -> Gains | None:
    """Read them; None where a report has none."""
    if not (folder / FILE).exists():
        return None
    table = pq.read_table(folder / FILE)
    names = [name for name in table.column_names if name.startswith("ndcg ")]
    return Gains(
        table["shopper"].to_pylist(),
        table["target"].to_pylist(),
        {name.removeprefix("ndcg "): table[name].to_numpy() for name in names},
    )
