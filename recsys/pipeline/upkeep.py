"""Upkeep of a home: what is not needed goes, what is needed is checked, files made compact."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from features.online.sqlite import file_of
from recsys.artifacts import ArtifactStore, Releases
from recsys.errors import ArtifactError
from recsys.pipeline import lineage as lineages
from recsys.pipeline.interval import CHAIN, DAYS, ROOT, TABLES
from recsys.pipeline.lock import exclusive
from recsys.pipeline.step import PATIENCE
from recsys.results import database, records
from recsys.scrub import all_versions
from recsys.settings import Settings

__all__ = ["Upkeep", "integrity", "maintain", "retain", "vacuum"]

DAY = 86_400.0
KEEP_RELEASES, KEEP_DAYS = 7, 30


@dataclass
class Upkeep:
    """What was done."""

    erased: int = 0
    releases: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    partitions: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    vacuumed: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def maintain(
    settings: Settings, *, keep_releases: int = KEEP_RELEASES, keep_days: int = KEEP_DAYS
) -> Upkeep:
    """All of it: erasures, retention, integrity, vacuum."""
    from recsys.erasure import erase_requested

    erased = len(erase_requested(settings))
    done = retain(settings, keep_releases=keep_releases, keep_days=keep_days)
    done.erased = erased
    done.damaged = integrity(settings)
    done.vacuumed = vacuum(settings)
    return done


def retain(
    settings: Settings, *, keep_releases: int = KEEP_RELEASES, keep_days: int = KEEP_DAYS
) -> Upkeep:
    """Remove releases but the newest, artifacts that none needs, and partitions that are old.

    Never: the live release, the newest that served, the data at hand, the candidate, or anything
    that was made last of its kind.
    """
    done, home = Upkeep(), settings.home.resolve()
    with exclusive(home, wait=PATIENCE):
        store = ArtifactStore(home)
        releases = Releases(store)
        always = {one for one in (releases.live(), releases.newest()) if one}
        kept = {*releases.ids()[-keep_releases:], *always}
        for release_id in [one for one in releases.ids() if one not in kept]:
            (releases.folder / f"{release_id}.json").unlink()
            done.releases.append(release_id)
        engine = database.of(settings)
        database.upgrade(engine)
        records.prune(engine, keep_releases, always=kept)
        needed = _needed(settings, store, releases)
        for kind, version in list(all_versions(store)):
            if (kind, version) not in needed and store.current(kind) != version:
                shutil.rmtree(store.folder(kind, version))
                done.artifacts.append(f"{kind}/{version}")
        done.partitions = list(_old_partitions(home, needed, keep_days))
    return done


def integrity(settings: Settings) -> dict[str, str]:
    """Check every file of every artifact; returns what is damaged, and how."""
    store, damaged = ArtifactStore(settings.home), {}
    for kind, version in all_versions(store):
        try:
            store.open(kind, version)
        except ArtifactError as error:
            damaged[f"{kind}/{version}"] = str(error)
    releases = Releases(store)
    for release_id in releases.ids():
        try:
            releases.read(release_id)
        except ArtifactError as error:
            damaged[release_id] = str(error)
    return damaged


def vacuum(settings: Settings) -> list[str]:
    """Make the home's SQLite files compact: what was deleted is really gone then."""
    home = settings.home.resolve()
    files = [
        home / "results.db",
        home / "profiles" / "state.db",
        file_of(home / "feast"),
        *sorted((home / "cache").glob("*.sqlite")),
    ]
    there = [file for file in files if file.is_file()]
    for file in there:
        with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as database_file:
            database_file.execute("VACUUM")
            database_file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return [str(file.relative_to(home)) for file in there]


def _needed(settings: Settings, store: ArtifactStore, releases: Releases) -> set[tuple[str, str]]:
    """All artifacts that a release, the data at hand or the candidate is made of."""
    found = [releases.read(one).lineage for one in releases.ids()]
    found += [lineages.read(settings, name) or {} for name in (lineages.DATA, lineages.CANDIDATE)]
    needed = {(kind, version) for lineage in found for kind, version in lineage.items()}
    for kind, version in list(needed):
        if kind == TABLES:
            needed |= set(_parts(store, version))
    return needed


def _parts(store: ArtifactStore, version: str) -> Iterator[tuple[str, str]]:
    """What composed tables are made of: the next interval starts from it."""
    try:
        told = store.open(TABLES, version).manifest.parameters
    except ArtifactError:
        return
    if ROOT in told:
        yield TABLES, told[ROOT]
        yield from ((DAYS, day) for day in told[CHAIN].values())


def _old_partitions(home: Path, needed: set[tuple[str, str]], keep_days: int) -> Iterator[str]:
    """Refused rows and shards of versions that nobody needs any more, after some days."""
    versions = {version for _, version in needed}
    for kind in ("quarantine", "batch"):
        base = home / kind
        for folder in sorted(base.iterdir()) if base.is_dir() else ():
            old = time.time() - folder.stat().st_mtime > keep_days * DAY
            if folder.is_dir() and old and folder.name not in versions:
                shutil.rmtree(folder)
                yield f"{kind}/{folder.name}"
