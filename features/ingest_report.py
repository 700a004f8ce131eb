"""What the ingest of raw files found and did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from features.formats import Table
from features.staging import Source


@dataclass(frozen=True)
class RawFileReport:
    """One raw file that was read."""

    path: str
    table: str
    format: str
    size: int
    sha256: str

    @classmethod
    def of(cls, source: Source, table: Table) -> Self:
        """Describe a source."""
        file = source.file
        return cls(str(file.path), str(table), source.format.name, file.size, file.sha256)


@dataclass(frozen=True)
class IngestReport:
    """What came in, what went out, and what was refused and why."""

    files: Sequence[RawFileReport]
    rows: Mapping[str, int]  # by table: rows read, without headers and blank lines
    purchases: int
    users: int
    items: int
    duplicates: Mapping[str, int]  # by table: exact repetitions that were collapsed
    conflicting_items: int  # rows that repeat an item's id with other content; the first was kept
    quarantined: Mapping[str, Mapping[str, int]]  # by table and reason
    unknown_items: int  # purchases of items that are in no item file
    untitled_items: int
    first_purchase: datetime
    last_purchase: datetime

    def as_dict(self) -> dict[str, Any]:
        """Give the report as plain values, times in ISO format."""
        first, last = self.first_purchase.isoformat(), self.last_purchase.isoformat()
        return asdict(self) | {"first_purchase": first, "last_purchase": last}

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(self.as_dict(), indent=2)


def moment(millis: int) -> datetime:
    """Turn milliseconds since 1970 into a time in UTC."""
    return datetime.fromtimestamp(millis / 1000, UTC)
