"""Lists as rows of a Parquet file: one per shopper, with the rung that made it and why that one."""

from datetime import datetime
from typing import Any

from recsys.arrays import PAD
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.lists import Lists

with extra("recsys"):
    import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_timestamp", pa.timestamp("us", tz="UTC")),
        ("item_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
        ("reasons", pa.list_(pa.string())),
        ("rung", pa.string()),
        ("why", pa.string()),
    ]
)


def columns_of(lists: Lists, catalogue: Catalogue) -> dict[str, list[Any]]:
    """Columns of some lists; the moment is left out, it is the same for all."""
    kept = [row[row != PAD] for row in lists.items]
    return {
        "user_id": list(lists.user_ids),
        "item_ids": [[catalogue.item_ids[item] for item in row] for row in kept],
        "scores": [s[: len(r)].tolist() for s, r in zip(lists.scores, kept, strict=True)],
        "reasons": [r[: len(k)] for r, k in zip(lists.reasons, kept, strict=True)],
        "rung": [str(rung) for rung in lists.rung],
        "why": [str(why) for why in lists.why],
    }


def table_of(lists: Lists, catalogue: Catalogue, moment: datetime) -> pa.Table:
    """The same as an Arrow table."""
    columns = columns_of(lists, catalogue)
    return pa.table(columns | {"event_timestamp": [moment] * len(lists)}, schema=SCHEMA)
