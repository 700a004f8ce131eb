"""Look at a raw file before Spark does: is it whole, is it text, what does it begin with.

Pure Python, one pass over each file in constant memory, several files at a time. Spark would meet a
truncated or binary file half-way through a job, and would say so in a stack trace.
"""

import codecs
import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from features.errors import RawDataError

CHUNK = 1 << 20
HEAD_LINES = 200
MAX_LINE = 64 << 20

_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"PAR1": "a Parquet file",
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class RawFile:
    """A raw file that is whole and readable as text, and how it begins."""

    path: Path
    size: int
    sha256: str
    gzip: bool
    head: tuple[str, ...]


def preflight(paths: Sequence[Path]) -> list[RawFile]:
    """Check the files, in order; the first one that can't be read raises RawDataError."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(inspect, paths))


def inspect(path: Path) -> RawFile:
    """Read one file from end to end and say what it is."""
    if not path.exists():
        raise RawDataError("no such file", where=str(path), fix="check the path")
    if not path.is_file():
        raise RawDataError("not a file", where=str(path), fix="give the files in it, one by one")
    try:
        with path.open("rb") as stream:
            return _scan(path, stream)
    except OSError as error:
        raise RawDataError(
            f"can't be read: {error.strerror}", where=str(path), fix="check its permissions"
        ) from error


def _scan(path: Path, stream: BinaryIO) -> RawFile:
    start = stream.read(8)
    stream.seek(0)
    _refuse_foreign(path, start)
    gzip, digest, text = start.startswith(_GZIP), hashlib.sha256(), _Text(path)
    chunks = _hashed(stream, digest.update)
    for chunk in _gunzip(path, chunks) if gzip else chunks:
        text.feed(chunk)
    text.close()
    return RawFile(path, stream.tell(), digest.hexdigest(), gzip, text.head)


def _refuse_foreign(path: Path, start: bytes) -> None:
    for magic, kind in _FOREIGN.items():
        if start.startswith(magic):
            raise RawDataError(f"is {kind}", where=str(path), fix="give plain text or gzip")
    if start.startswith(_UTF16):
        raise RawDataError("is UTF-16 text", where=str(path), fix="convert it to UTF-8")


def _hashed(stream: BinaryIO, update: Callable[[bytes], object]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        update(chunk)
        yield chunk


def _gunzip(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack all members of a gzip file, a bounded piece at a time."""
    member = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(rest, 4 * CHUNK)
                rest = member.unused_data if member.eof else member.unconsumed_tail
    except zlib.error as error:
        raise RawDataError(
            f"is a damaged gzip file ({error})", where=str(path), fix="fetch it again"
        ) from error
    if not member.eof:
        raise RawDataError("is a truncated gzip file", where=str(path), fix="fetch it again")


class _Text:
    """Checks a stream of bytes: UTF-8, no NUL, lines of bearable length; keeps the head."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines, self.run = path, 0, 0
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.start, self.blank = "", True

    def feed(self, chunk: bytes) -> None:
        """Check one more piece."""
        if b"\0" in chunk:
            raise self.refused("is binary, or UTF-16 (it holds NUL bytes)", "give UTF-8 text")
        text = self.decode(chunk)
        self.lines += chunk.count(b"\n")
        self.run = len(chunk) - chunk.rfind(b"\n") - 1 + (0 if b"\n" in chunk else self.run)
        if self.run > MAX_LINE:
            raise self.refused(f"line {self.lines + 1} is longer than 64 MiB", "one row per line")
        if len(self.start) < CHUNK:
            self.start += text[:CHUNK]
        self.blank = self.blank and not text.strip("\ufeff \t\r\n")

    def decode(self, chunk: bytes, final: bool = False) -> str:
        """Decode, or name the line that is not UTF-8."""
        try:
            return self.decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            # error.object starts with what the decoder held back: never a newline
            line = self.lines + error.object[: error.start].count(b"\n") + 1
            raise self.refused(f"line {line} is not UTF-8", "convert it to UTF-8") from error

    def close(self) -> None:
        """Check the end."""
        self.decode(b"", final=True)
        if self.blank:
            raise self.refused("is empty", "fetch it again")

    @property
    def head(self) -> tuple[str, ...]:
        """The first whole lines."""
        lines = self.start.removeprefix("\ufeff").split("\n")
        whole = lines if len(self.start) < CHUNK or len(lines) == 1 else lines[:-1]
        return tuple(line.rstrip("\r") for line in whole[:HEAD_LINES])

    def refused(self, what: str, fix: str) -> RawDataError:
        """Make the error that names this file."""
        return RawDataError(what, where=str(self.path), fix=fix)
