"""Where Feast keeps a view: the names of its columns and the keys of its rows."""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from features.online import values
from features.repo.types import FeatureType

_STRING = 2  # feast.types.ValueType.STRING


@dataclass(frozen=True, eq=False)
class View:
    """What a store needs to know of a feature view."""

    name: str
    join_key: str
    columns: Mapping[str, FeatureType]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        return tuple(self.columns)

    def decoded(self, messages: Mapping[str, bytes]) -> dict[str, Any]:
        """Read a stored row; a feature that is not there is None, as Feast has it."""
        return {name: decode(messages.get(name)) for name, decode in self._decoders.items()}

    def some(self, messages: Mapping[str, bytes], names: Sequence[str]) -> dict[str, Any]:
        """Read some features of a stored row."""
        return {name: self._decoders[name](messages.get(name)) for name in names}

    def texts(self, messages: Sequence[bytes]) -> list[str | None]:
        """What Feast puts beside the values of a row."""
        kinds = self.columns.values()
        return [values.text(*pair) for pair in zip(kinds, messages, strict=True)]

    @cached_property
    def _decoders(self) -> dict[str, Callable[[bytes | None], Any]]:
        return {name: values.decoder(kind) for name, kind in self.columns.items()}


class Row(NamedTuple):
    """One row to write: its values in one message, in the order of the view's columns."""

    key: bytes
    event: int  # microseconds since 1970, UTC
    created: int
    packed: bytes


class Stored:
    """One row as it stands in a store; its messages are taken apart when somebody asks for them."""

    __slots__ = ("_raw", "_unpack", "event")

    def __init__(self, event: int, raw: Any, unpack: Callable[[Any], dict[str, bytes]]) -> None:
        self.event = event  # microseconds since 1970
        self._raw, self._unpack = raw, unpack

    @property
    def messages(self) -> dict[str, bytes]:
        """The values that are there, by feature."""
        return self._unpack(self._raw)

    def says(self, row: Row, view: View) -> bool:
        """Whether it holds the values of a row, all of them."""
        messages = self.messages
        told = by_name((view.names, row.packed))
        return all(messages.get(name) == each for name, each in told.items())


def by_name(row: tuple[Sequence[str], bytes]) -> dict[str, bytes]:
    """Take the message of a row apart: names of its features, and what it says of them."""
    names, packed = row
    return dict(zip(names, values.apart(packed), strict=True))


def entity_key(join_key: str, value: str) -> bytes:
    """The key of a row: one join key and its value, each with type and length."""
    return entity_keys(join_key, (value,))[0]


def entity_keys(join_key: str, ids: Iterable[str]) -> list[bytes]:
    """The same of many rows."""
    start = _key_of(join_key)
    return [start + len(text).to_bytes(4, "little") + text for text in map(str.encode, ids)]


@cache
def _key_of(join_key: str) -> bytes:
    """What the keys of an entity begin with."""
    name = join_key.encode()
    return struct.pack("<III", 1, _STRING, len(name)) + name + struct.pack("<I", _STRING)
