"""A whole run in a minute: the built-in shop at its smallest, models of a few steps."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.pipeline.stage import RawFiles
from recsys.sample import write
from recsys.settings import Settings, load

ENVIRONMENT = {
    "TAILOR_CANDIDATES__POOL": "40",
    "TAILOR_FEATURES__SPARK__DRIVER_MEMORY": "1g",
    "TAILOR_FEATURES__SPARK__MASTER": "local[2]",
    "TAILOR_FEATURES__SPARK__SHUFFLE_PARTITIONS": "2",
    "TAILOR_LISTS__RERANK": "5",
    "TAILOR_PERSONALIZER__HYPERNET__BATCH_SIZE": "16",
    "TAILOR_PERSONALIZER__HYPERNET__STEPS": "20",
    "TAILOR_PERSONALIZER__LM__HIDDEN_SIZE": "32",
    "TAILOR_PERSONALIZER__LM__LAYERS": "1",
    "TAILOR_PERSONALIZER__LM__MAX_STEPS": "20",
    "TAILOR_PERSONALIZER__LM__VOCAB_SIZE": "512",
    "TAILOR_REPORT__PREFERENCE__CATEGORY_LEVEL": "2",
    "TAILOR_REPORT__PREFERENCE__LEAST_CATEGORIES": "2",
    "TAILOR_RANKER__LEAST_ROWS": "5",
    "TAILOR_RANKER__ROUNDS": "20",
}


def shop(folder: Path, seed: int) -> RawFiles:
    """Raw files of a small shop."""
    write(folder, users=150, items=80, seed=seed)
    return raw_of(folder)


def raw_of(folder: Path) -> RawFiles:
    """The raw files in a folder."""
    return RawFiles((folder / "reviews.jsonl.gz",), (folder / "items.jsonl.gz",))


@contextmanager
def environment(home: Path) -> Iterator[None]:
    """The tiny settings and a home, for as long as the block lasts."""
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT | {"TAILOR_HOME": str(home)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def settings(home: Path) -> Settings:
    """The tiny settings with a home."""
    with environment(home):
        return load()
