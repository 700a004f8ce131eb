"""Answers that were paid for once: by model, prompt and way of decoding, in one SQLite file."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from personalizer.errors import GeneratorError
from personalizer.profiles.generators.base import Answer
from personalizer.transaction import transaction

__all__ = ["AnswerCache"]


class AnswerCache:
    """A file of answers; many threads and processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS answers "
                "(asked BLOB PRIMARY KEY, text TEXT, truncated INTEGER) WITHOUT ROWID"
            )

    def get(self, body: Mapping[str, Any]) -> Answer | None:
        """The answer to a request body, if it was given before."""
        with self._open() as database:
            found = database.execute(
                "SELECT text, truncated FROM answers WHERE asked = ?", (_key(body),)
            ).fetchone()
        return Answer(found[0], bool(found[1])) if found else None

    def put(self, body: Mapping[str, Any], answer: Answer) -> None:
        """Remember an answer."""
        with self._open() as database:
            database.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)",
                (_key(body), answer.text, int(answer.truncated)),
            )

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(
            self._path,
            lambda why: GeneratorError(
                f"can't use the cache of answers: {why}",
                where=str(self._path),
                fix="delete the file; it is filled again",
            ),
        )


def _key(body: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
