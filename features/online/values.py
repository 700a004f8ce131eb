"""Feature values as Feast stores them: the protobuf message `feast.types.Value`, column by column.

A value is a tag, for lists a length, and the content; a null is an empty message. Written out by
hand because a column of them at once is many times faster than message objects.
"""

import struct
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import StoreError, extra
from features.repo.types import Array, FeatureType, Float32, Float64, Int64, Scalar, String

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc

NULL = b""
_STRING, _INT64, _DOUBLE, _FLOAT = b"\x12", b"\x20", b"\x29", b"\x35"
_LISTS = {String: b"\x62", Int64: b"\x72", Float64: b"\x7a", Float32: b"\x82\x01"}
_ENTRIES = b"\x0a"

_ARROW = {String: pa.string(), Int64: pa.int64(), Float64: pa.float64(), Float32: pa.float32()}


def arrow_type(kind: FeatureType) -> Any:
    """The Arrow type of a column of this type."""
    return pa.list_(_ARROW[kind.of]) if isinstance(kind, Array) else _ARROW[kind]


def encode(kind: FeatureType, column: Any) -> Any:
    """Write each value of an Arrow array; nulls, and numbers that are none, become empty."""
    column = column.cast(arrow_type(kind))
    written = _lists(kind.of, column) if isinstance(kind, Array) else _scalars(kind, column)
    nowhere = column.is_null(nan_is_null=True)
    return pc.if_else(nowhere, NULL, written) if nowhere.true_count else written


def message(kind: FeatureType, value: Any) -> bytes:
    """Write one value: the same, without Arrow, whose calls take longer than one value is worth."""
    if value is None:
        return NULL
    if isinstance(kind, Array):
        return _list(kind.of, value)
    return _WRITERS[kind](value) if value == value else NULL  # noqa: PLR0124 - a NaN is nothing


def together(messages: Sequence[Any]) -> Any:
    """Put the messages of several columns into one per row: Feast's `RepeatedValue`."""
    return _joined(*(_sized(_ENTRIES, column) for column in messages))


def apart(packed: bytes) -> list[bytes]:
    """Take such a message apart again."""
    messages, at, end = [], 0, len(packed)
    while at < end:
        size = packed[at + 1]
        at += 2
        if size >= 0x80:
            size, at = read_varint(packed, at - 1)
        messages.append(packed[at : at + size])
        at += size
    return messages


def decoder(kind: FeatureType) -> Callable[[bytes | None], Any]:
    """How to read one value; nothing for a null or for what is not there."""
    read = _READERS[kind]
    return lambda message: read(message) if message else None


def text(kind: FeatureType, message: bytes) -> str | None:
    """What Feast puts beside a value for searching by text: strings and numbers, no lists."""
    value = None if isinstance(kind, Array) or not message else _READERS[kind](message)
    return None if value is None else str(value)


def varint(number: int) -> bytes:
    """Write an integer in groups of seven bits, the lowest first."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    if number < 0x80:
        return _SHORT[number]
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


_SHORT = [bytes([number]) for number in range(0x80)]


def entry(content: bytes) -> bytes:
    """Write one of several in a message: tag, length and content."""
    return _whole(_ENTRIES, content)


def _whole(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """Read an integer and where it ends."""
    number = shift = 0
    while True:
        group = message[at]
        at += 1
        number |= (group & 0x7F) << shift
        if group < 0x80:
            return number, at
        shift += 7


def signed(number: int) -> int:
    """Read 64 bits as two's complement."""
    return number - (1 << 64) if number >> 63 else number


_WRITERS: dict[Scalar, Callable[[Any], bytes]] = {
    String: lambda text: _whole(_STRING, text.encode()),
    Int64: lambda number: _INT64 + varint(number),
    Float64: lambda number: _DOUBLE + struct.pack("<d", number),
    Float32: lambda number: _FLOAT + struct.pack("<f", number),
}
_PACKERS: dict[Scalar, Callable[[Any], bytes]] = {
    Int64: lambda numbers: b"".join(map(varint, numbers)),
    Float64: lambda numbers: np.asarray(numbers, "<f8").tobytes(),
    Float32: lambda numbers: np.asarray(numbers, "<f4").tobytes(),
}


def _list(kind: Scalar, entries: Any) -> bytes:
    if kind is String:
        return _whole(_LISTS[kind], b"".join(entry(text.encode()) for text in entries))
    packed = _PACKERS[kind](entries)
    return _whole(_LISTS[kind], entry(packed) if packed else b"")


def _scalars(kind: FeatureType, column: Any) -> Any:
    if kind is String:
        return _sized(_STRING, _filled(column.cast(pa.binary()), b""))
    if kind is Int64:
        return _joined(_INT64, _varints(_numbers(column), np.arange(len(column) + 1)))
    tag, bits = (_DOUBLE, "<f8") if kind is Float64 else (_FLOAT, "<f4")
    return _joined(tag, _cut(_numbers(column).astype(bits), np.arange(len(column) + 1)))


def _numbers(column: Any) -> NDArray[Any]:
    """The numbers of a column, some number where there is none."""
    return np.asarray(_filled(column, 0).to_numpy(zero_copy_only=False))


def _filled(column: Any, value: Any) -> Any:
    return column.fill_null(value) if column.null_count else column


def _lists(kind: Scalar, column: Any) -> Any:
    """Lay all entries out once, then cut them at the bounds of each list."""
    entries = column.flatten()
    if entries.null_count:
        raise StoreError("a list with an empty entry", where="feature values")
    # the lengths, because a null list may span entries of its own
    sizes = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    bounds = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=bounds[1:])
    if kind is String:
        each = _sized(_ENTRIES, entries.cast(pa.binary()))
        lists = pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), each)
        content = pc.binary_join(lists, b"")
    else:
        packed = _packed(kind, entries, bounds)
        content = pc.if_else(pc.equal(packed, b""), NULL, _sized(_ENTRIES, packed))
    return _sized(_LISTS[kind], content)


def _packed(kind: Scalar, entries: Any, bounds: NDArray[np.int64]) -> Any:
    """Entries without tags between them, list by list."""
    numbers = entries.to_numpy(zero_copy_only=False)
    if kind is Int64:
        return _varints(numbers, bounds)
    return _cut(numbers.astype("<f4" if kind is Float32 else "<f8"), bounds)


def _sized(tag: bytes, contents: Any) -> Any:
    """Put a tag and the length before each content."""
    sizes = pc.binary_length(contents).dictionary_encode()
    heads = [tag + varint(size) for size in sizes.dictionary.to_pylist()]
    return _joined(pa.array(heads, pa.binary()).take(sizes.indices), contents)


def _joined(*parts: Any) -> Any:
    return pc.binary_join_element_wise(*parts, b"")


def _cut(numbers: NDArray[Any], bounds: NDArray[np.int64]) -> Any:
    """The bytes of an array, cut at some of its numbers."""
    offsets = (bounds * numbers.itemsize).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(numbers))]
    return pa.Array.from_buffers(pa.binary(), len(bounds) - 1, buffers)


def _varints(numbers: NDArray[np.int64], bounds: NDArray[np.int64]) -> Any:
    """Integers in groups of seven bits, cut at some of them."""
    groups = numbers.astype(np.uint64)[:, None] >> (np.arange(10, dtype=np.uint64) * np.uint64(7))
    used = groups > 0
    used[:, 0] = True
    sizes = used.sum(axis=1)
    groups = (groups & np.uint64(0x7F)).astype(np.uint8)
    groups[:, :-1][used[:, 1:]] |= 0x80
    ends = np.zeros(len(numbers) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    return _cut(groups[used], ends[bounds])


def _read_string(message: bytes) -> str:
    size = message[1]
    if size < 0x80:
        return message[2:].decode()
    return message[read_varint(message, 1)[1] :].decode()


def _read_int(message: bytes) -> int:
    number = message[1]
    return number if number < 0x80 else signed(read_varint(message, 1)[0])


_DOUBLE_IN, _FLOAT_IN = struct.Struct("<xd").unpack, struct.Struct("<xf").unpack


def _read_double(message: bytes) -> float:
    number: float = _DOUBLE_IN(message)[0]
    return number


def _read_float(message: bytes) -> float:
    number: float = _FLOAT_IN(message)[0]
    return number


def _entries(message: bytes, tag: int) -> bytes:
    """What is packed inside a list."""
    size, at = read_varint(message, tag)
    return message[read_varint(message, at + 1)[1] :] if size else b""


def _read_strings(message: bytes) -> list[str]:
    _, at = read_varint(message, 1)
    found, end = [], len(message)
    while at < end:
        size = message[at + 1]
        if size < 0x80:
            at += 2
        else:
            size, at = read_varint(message, at + 1)
        found.append(message[at : at + size].decode())
        at += size
    return found


def _read_ints(message: bytes) -> list[int]:
    packed, found = _entries(message, 1), []
    number = shift = 0
    for group in packed:
        number |= (group & 0x7F) << shift
        if group < 0x80:
            found.append(signed(number))
            number = shift = 0
        else:
            shift += 7
    return found


def _read_doubles(message: bytes) -> list[float]:
    return array("d", _entries(message, 1)).tolist()


def _read_floats(message: bytes) -> list[float]:
    return array("f", _entries(message, 2)).tolist()


_READERS: dict[FeatureType, Callable[[bytes], Any]] = {
    String: _read_string,
    Int64: _read_int,
    Float64: _read_double,
    Float32: _read_float,
    Array(String): _read_strings,
    Array(Int64): _read_ints,
    Array(Float64): _read_doubles,
    Array(Float32): _read_floats,
}
