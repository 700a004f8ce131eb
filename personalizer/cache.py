"""An encoder that remembers: only texts it has not seen are encoded."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import numpy as np

from personalizer.errors import WeightsError
from personalizer.transaction import transaction
from personalizer.vectors import Encoder, Progress, Vectors

__all__ = ["CachedEncoder"]

T = TypeVar("T")

# what is encoded is kept every so many texts, so that a kill loses no more than this
CHUNK = 1024
# below the number of parameters every SQLite accepts
LOOK_UP = 500


class CachedEncoder:
    """An encoder with its vectors in one SQLite file, by encoder version and text."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder, self._path = encoder, path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS vectors (encoder TEXT, text_sha256 BLOB, vector BLOB, "
                "PRIMARY KEY (encoder, text_sha256)) WITHOUT ROWID"
            )

    @property
    def version(self) -> str:
        """Version of the encoder behind."""
        return self._encoder.version

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._encoder.dim

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Encode texts as rows (N, D) of length one; `progress` counts distinct texts."""
        key_of = {text: hashlib.sha256(text.encode()).digest() for text in texts}
        known = self._read(list(key_of.values()))
        # by length, so that a chunk's batches have little padding
        missing = sorted((t for t, key in key_of.items() if key not in known), key=len)
        done = len(key_of) - len(missing)
        for chunk in _chunks(missing, CHUNK):
            new = dict(zip((key_of[t] for t in chunk), self._encoder.encode(chunk), strict=True))
            self._write(new)
            known |= new
            done += len(chunk)
            if progress:
                progress(done, len(key_of))
        rows = [known[key_of[text]] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(
            self._path,
            lambda why: WeightsError(
                f"can't use the cache of vectors: {why}",
                where=str(self._path),
                fix="delete the file; it is filled again",
            ),
        )

    def _read(self, keys: list[bytes]) -> dict[bytes, Vectors]:
        found: dict[bytes, Vectors] = {}
        with self._open() as database:
            for some in _chunks(keys, LOOK_UP):
                marks = ",".join("?" * len(some))
                rows = database.execute(
                    "SELECT text_sha256, vector FROM vectors "  # noqa: S608 - only question marks
                    f"WHERE encoder = ? AND text_sha256 IN ({marks})",
                    (self.version, *some),
                )
                found |= {key: np.frombuffer(vector, np.float32) for key, vector in rows}
        return found

    def _write(self, vectors: dict[bytes, Vectors]) -> None:
        rows = [(self.version, key, vector.tobytes()) for key, vector in vectors.items()]
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)


def _chunks(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
