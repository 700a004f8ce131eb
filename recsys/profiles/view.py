"""The rows of the feature store: a profile for every shopper, with all that it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from personalizer.profiles.history import History
from recsys.arrays import Floats, Longs
from recsys.errors import extra
from recsys.profiles.state import Kept
from recsys.tables import hash_order

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["LEVELS", "VIEW", "Row", "rows_of", "write"]

VIEW = "user_profile"
LEVELS = ("user", "persona", "global")
_MICRO = pa.timestamp("us", tz="UTC")
_TEXTS = (
    "profile", "guidance", "style", "history_hash", "generator", "prompt_version", "level",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One shopper's profile as the store has it."""

    user_id: str
    level: str
    kept: Kept
    seen: int  # when the last purchase was made that the text reflects


def rows_of(
    histories: Sequence[History],
    own: Mapping[str, Kept],
    groups: Sequence[Kept | None],
    nearest: Longs,
    *,
    crowd_seen: int,
) -> list[Row]:
    """A row per shopper: her own profile, else her group's, else everybody's.

    An own profile counts if it saw nothing but purchases of this history: one that was written
    later, as of a later moment, does not. The last of the groups is everybody.
    """
    rows = []
    for history, group in zip(histories, nearest, strict=True):
        mine = own.get(history.user_id)
        if mine is not None and mine.seen_in(history) is not None:
            rows.append(Row(history.user_id, "user", mine, mine.last_seconds))
        elif group >= 0 and (persona := groups[group]) is not None:
            rows.append(Row(history.user_id, "persona", persona, crowd_seen))
        elif (everyone := groups[-1]) is not None:
            rows.append(Row(history.user_id, "global", everyone, crowd_seen))
    return rows


def write(
    rows: Sequence[Row], vectors: Floats | None, encoder: str, as_of: datetime, folder: Path
) -> None:
    """Write the Parquet folder that Feast reads, in hash order."""
    order = hash_order([row.user_id for row in rows])
    rows = [rows[at] for at in order]
    moments = [datetime.fromtimestamp(row.seen, UTC) for row in rows]
    columns: dict[str, Any] = {
        "user_id": pa.array([row.user_id for row in rows], pa.string()),
        "event_timestamp": pa.array(moments, _MICRO),
        "created_timestamp": pa.array([as_of] * len(rows), _MICRO),
    }
    for name in _TEXTS:
        values = [row.level if name == "level" else getattr(row.kept, name) for row in rows]
        columns[name] = pa.array(values, pa.string())
    listed = [[] if vectors is None else vectors[at] for at in order]
    columns["embedding"] = pa.array(listed, pa.list_(pa.float32()))
    columns["encoder"] = pa.array([encoder] * len(rows), pa.string())
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "part-0.parquet")
