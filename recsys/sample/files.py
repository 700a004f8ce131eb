"""Writing the shop's files: same content, same bytes."""

import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.errors import SampleError

REVIEWS = "reviews.jsonl.gz"
ITEMS = "items.jsonl.gz"
TRUTH = "truth.json"
TRUTH_USERS = "truth_users.jsonl.gz"
TRUTH_ITEMS = "truth_items.jsonl.gz"
# the truth comes last: where it lies, the rest lies too
NAMES = (REVIEWS, ITEMS, TRUTH_USERS, TRUTH_ITEMS, TRUTH)
_ASIDE = ".partial"


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """Give a folder to fill aside; what was written moves into `out` when all went well.

    A folder that holds anything but an earlier shop is refused: it may be somebody's data.
    """
    _refuse_foreign(out)
    aside = out / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        for name in NAMES:
            (aside / name).replace(out / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise SampleError("not a folder", where=str(out), fix="name a folder to write to")
    if out.is_dir():
        names = {path.name for path in out.iterdir()} - {_ASIDE}
        if names - set(NAMES) or (names and TRUTH not in names):
            raise SampleError(
                "the folder holds other files",
                where=str(out),
                fix="name a new or empty folder, or one that holds an earlier sample",
            )


def write_lines(path: Path, chunks: Iterable[str]) -> None:
    """Write text, gzipped without a time or a name in the header."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as file,
    ):
        for chunk in chunks:
            file.write(chunk.encode())


def as_line(row: dict[str, Any]) -> str:
    """One row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"
