"""What a raw format is, and the registry of all of them.

A format does two things. It recognises its files by how they begin, never by their names. And it
turns raw lines into loose columns: texts and plain numbers, null where the line has none.
`features.formats.judge` makes canonical columns of them and finds the reason to refuse a row, in
the same words for every format.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, TypeVar

from features.errors import UnknownFormatError, extra
from features.formats.simple import Texts
from features.formats.text import record

with extra("features"):
    from pyspark.sql import DataFrame


class Table(StrEnum):
    """The canonical table a raw file feeds."""

    PURCHASES = "purchases"
    ITEMS = "items"


class RawFormat(ABC):
    """A layout of raw files. Members register themselves by `@register`."""

    name: ClassVar[str]
    about: ClassVar[str]
    tables: ClassVar[frozenset[Table]] = frozenset(Table)
    header: ClassVar[bool] = False  # the first line names the columns

    @abstractmethod
    def recognise(self, head: Sequence[str]) -> Table | None:
        """Say which table a file feeds that begins with these lines; None: not this format."""

    def purchases(self, lines: "DataFrame", header: str) -> "DataFrame":
        """Add readable, user, item, rating (texts), dated (has a time) and millis (double).

        Where `simple` has read the lines, they carry what it read as `row`.
        """
        raise NotImplementedError

    def fields(self, header: str) -> tuple[str, ...]:  # noqa: ARG002
        """Texts that are read of a review."""
        return ()

    def simple(self, line: str, header: str) -> Texts | None:  # noqa: ARG002
        """Read a review that can be read in one way only; None: it takes Spark to read it."""
        return None

    def items(self, lines: "DataFrame", header: str) -> "DataFrame":
        """Add readable, item, title, brand, price (texts) and path (texts)."""
        raise NotImplementedError


class RecordFormat(RawFormat):
    """A format with one record per line: its files are recognised by the records' keys."""

    @abstractmethod
    def table_of(self, keys: frozenset[str]) -> Table | None:
        """Say which table a record with these keys feeds; None: not this format."""

    def recognise(self, head: Sequence[str]) -> Table | None:
        """Follow the majority of the readable lines."""
        records = (record(line) for line in head)
        votes = Counter(self.table_of(frozenset(row)) for row in records if row is not None)
        return votes.most_common(1)[0][0] if votes else None


_FORMATS: dict[str, RawFormat] = {}
_Member = TypeVar("_Member", bound=type[RawFormat])


def register(member: _Member) -> _Member:
    """Make a format known under its name."""
    if member.name in _FORMATS:
        raise ValueError(f"two raw formats are called {member.name!r}")
    _FORMATS[member.name] = member()
    return member


def formats() -> Mapping[str, RawFormat]:
    """All known formats by name."""
    return dict(_FORMATS)


def get(name: str) -> RawFormat:
    """Return the format of this name."""
    if name not in _FORMATS:
        raise UnknownFormatError(
            f"no raw format {name!r}", fix=f"one of: auto, {', '.join(_FORMATS)}"
        )
    return _FORMATS[name]


def detect(head: Sequence[str], where: str) -> tuple[RawFormat, Table]:
    """Find the format of a file that begins with these lines."""
    for member in _FORMATS.values():
        if (table := member.recognise(head)) is not None:
            return member, table
    known = "; ".join(f"{member.name}: {member.about}" for member in _FORMATS.values())
    seen = next((line for line in head if line.strip()), "")[:120]
    raise UnknownFormatError(
        f"no raw format fits; it begins with {seen!r}",
        where=where,
        fix=f"known formats are {known}",
    )
