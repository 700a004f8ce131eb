"""Review lines that can be read in one way only, in plain Python: for a day without Java.

Whoever reads a line here reads it as Spark does, or not at all: what quotes, escapes, repeats or
nests in a way that readers differ about is left to Spark (a test holds both to each other).
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.preflight import RawFile

MOST = 64 << 20
"""Bytes of a file that is still read line by line."""

Texts = Mapping[str, str | None]


def lines_of(file: RawFile) -> Iterator[str]:
    """Give the lines of a file as Spark would: without ends, and without a mark of byte order."""
    first = True
    with _opened(file.path, zipped=file.gzip) as stream:
        for line in stream:
            yield (line.removeprefix("\ufeff") if first else line).rstrip("\r\n")
            first = False


def _opened(path: Path, *, zipped: bool) -> Any:
    opening: Any = gzip.open if zipped else open
    return opening(path, "rt", encoding="utf-8", newline="\n")


def blank(line: str) -> bool:
    """Whether there is nothing on a line."""
    return not line.strip(" \t\v\f\r")


def of_csv(line: str, names: Sequence[str], read: Iterable[str]) -> Texts | None:
    """Cut a line at its commas; None where a quote or a control character makes more of them."""
    values = line.split(",")
    if '"' in line or not line.isprintable() or len(values) != len(names):
        return None
    told = dict(zip(names, values, strict=True))
    return {name: told[name] or None for name in read}


class _Number(str):
    """A number as it is written: its value is plain, but as an id readers write it anew."""

    __slots__ = ()


def of_json(line: str, read: Iterable[str], ids: Iterable[str]) -> Texts | None:
    """Read texts and numbers of an object; None where a value is anything else, or told twice.

    Nor may an id be a number: 1e3 is 1000.0 to some readers.
    """
    try:
        row = json.loads(
            line, parse_float=_Number, parse_int=_Number, parse_constant=_odd,
            object_pairs_hook=_once,
        )  # fmt: skip
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    told = {name: row.get(name) for name in read}
    odd = (value is not None and not (isinstance(value, str) and value.isprintable())
           for value in told.values())  # fmt: skip
    numbered = (isinstance(told.get(name), _Number) for name in ids)
    return None if any(odd) or any(numbered) else told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(told := dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return told


def _odd(word: str) -> None:
    raise ValueError(word)
