"""Erase a shopper from everywhere: one function for the command line, Airflow and the service.

It may be called again at any time, and goes on where a killed call stopped. What is learned from
many shoppers together (models, counts of pairs, statistics of items) names nobody and stays until
it is made anew; the receipt says so. Raw files are their owner's: a shopper who was erased is kept
out of what they are read into, by the digest of her id.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys.artifacts import ArtifactStore
from recsys.pipeline.lock import exclusive
from recsys.results import database, erasures, writer
from recsys.settings import Settings

__all__ = ["LEFT", "Receipt", "erase", "erase_requested"]

LEFT = (
    "models, item statistics and counts of pairs name nobody; the next training leaves her out",
    "raw files and backups are kept by their owner; rows of hers are not read in again",
)
PATIENCE = 600.0
"""Seconds to wait for a stage at work in the home."""


@dataclass(frozen=True)
class Receipt:
    """What was erased of a shopper: how many rows, by place."""

    user_digest: str
    erased_at: str
    removed: dict[str, int]
    left: tuple[str, ...] = LEFT

    @property
    def total(self) -> int:
        """How many rows went altogether; nothing where she was not known."""
        return sum(self.removed.values())

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"total": self.total}


def erase(user_id: str, settings: Settings, *, wait: float = PATIENCE) -> Receipt:
    """Erase a shopper from all stores of the home, and note that it was done."""
    home = settings.home.resolve()
    engine = database.of(settings)
    database.upgrade(engine)
    digest = erasures.request(engine, user_id)
    places: dict[str, Callable[[], int]] = {
        "caches": lambda: _caches(home, user_id),  # first: its keys follow from her profile
        "profiles": lambda: _profiles(home, user_id),
        "adapters": lambda: _adapters(settings, user_id),
        "online": lambda: _online(settings, user_id),
        "results": lambda: writer.erase(engine, user_id),
        "quarantine": lambda: _loose(home / "quarantine", user_id),
        "training": lambda: _loose(home / "training", user_id),
        "batch": lambda: _loose(home / "batch", user_id),
    }
    with exclusive(home, wait=wait):
        removed = {place: work() for place, work in places.items()}
        removed |= _artifacts(ArtifactStore(home), user_id)
    receipt = Receipt(digest, datetime.now(UTC).isoformat(timespec="seconds"), removed)
    erasures.done(engine, digest, receipt.as_dict())
    return receipt


def erase_requested(settings: Settings) -> list[Receipt]:
    """Carry out all requests that wait."""
    engine = database.of(settings)
    database.upgrade(engine)
    return [erase(user, settings) for user in erasures.waiting(engine)]


def _artifacts(store: ArtifactStore, user_id: str) -> dict[str, int]:
    from recsys.scrub import all_versions, scrub_artifact

    removed: dict[str, int] = {}
    for kind, version in all_versions(store):
        removed[kind] = removed.get(kind, 0) + scrub_artifact(store, kind, version, user_id)
    return removed


def _loose(folder: Path, user_id: str) -> int:
    """Files that are no artifact's: no manifest knows them."""
    from recsys.scrub import scrub_files

    return scrub_files(folder, user_id) if folder.is_dir() else 0


def _online(settings: Settings, user_id: str) -> int:
    from recsys.online import repo_of

    repo = repo_of(settings)
    return sum(repo.erase(user_id).values()) if repo.applied else 0


def _profiles(home: Path, user_id: str) -> int:
    from recsys.profiles.state import State

    return State(home / "profiles").erase(user_id) if (home / "profiles").is_dir() else 0


def _caches(home: Path, user_id: str) -> int:
    """What was kept of the texts about her: their vectors, and a server's answers."""
    texts = _texts_about(home, user_id)
    vectors = [hashlib.sha256(text.encode()).digest() for text in texts]
    return _delete(
        home / "cache" / "profile_embeddings.sqlite", "vectors", "text_sha256", vectors
    ) + _delete(home / "cache" / "profile_answers.sqlite", "answers", "text", texts)


def _texts_about(home: Path, user_id: str) -> list[str]:
    from personalizer.profiles.prompts import embedding_text
    from personalizer.profiles.tasks import TASKS
    from recsys.profiles.job import USER
    from recsys.profiles.state import State

    if not (home / "profiles").is_dir():
        return []
    state = State(home / "profiles")
    kept = [*state.get(USER, [user_id]).values(), *state.earlier(USER, [user_id]).values()]
    about = TASKS["purchase"].description
    profiles = [one.profile for one in kept]
    instructed = [embedding_text(about, text) for text in profiles]
    return [*profiles, *instructed, *(one.guidance for one in kept if one.guidance)]


def _delete(file: Path, table: str, column: str, keys: Iterable[Any]) -> int:
    if not file.is_file():
        return 0
    with closing(sqlite3.connect(file, timeout=60)) as cache, cache:
        statement = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - names of ours
        return sum(cache.execute(statement, (key,)).rowcount for key in keys)


def _adapters(settings: Settings, user_id: str) -> int:
    """Adapters that were exported for servers; those in memory die with their embedding."""
    from personalizer.export import adapter_name

    folder = settings.personalizer.server.folder
    if not folder or not Path(folder).is_dir():
        return 0
    prefix = adapter_name(user_id, "")
    hers = [path for path in Path(folder).iterdir() if path.name.startswith(prefix)]
    for path in hers:
        shutil.rmtree(path)
    return len(hers)
