"""One interval of purchases: into the tables, then into the features, whatever came before.

Tables are a root (what `tailor run` read) and the intervals after it. What an interval holds is
read against the root alone, so it is the same on a retry, in a back-fill in any order, and by two
runs at once; the tables are the root and all intervals in the order of time.
"""

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from recsys.artifacts import Artifact, ArtifactStore, Manifest
from recsys.artifacts.files import sha256_of
from recsys.artifacts.store import Draft
from recsys.errors import ArtifactError, StageError, extra
from recsys.pipeline import lineage as lineages
from recsys.pipeline.lineage import Lineage
from recsys.pipeline.lock import making
from recsys.pipeline.observer import Observer
from recsys.pipeline.stage import Context, code_digest
from recsys.pipeline.step import PATIENCE, opened
from recsys.results import database
from recsys.settings import Settings
from recsys.tables import read_table

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["Interval", "files_of", "ingest", "ready"]

TABLES, DAYS = "tables", "intervals"
ROOT, CHAIN = "root", "intervals"
_IDENTITY = ("user_id", "item_id", "event_timestamp", "rating")


@dataclass(frozen=True, order=True)
class Interval:
    """From a moment (with it) to another (without it), in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise StageError(f"{self.start} is not before {self.end}", where="interval")

    @classmethod
    def parse(cls, start: str, end: str) -> Self:
        """Read it from ISO texts; without a zone they are UTC."""
        try:
            moments = [datetime.fromisoformat(text) for text in (start, end)]
        except ValueError as error:
            raise StageError(
                str(error), where="interval", fix="2024-03-31T00:00:00+00:00"
            ) from error
        first, last = (m.astimezone(UTC) if m.tzinfo else m.replace(tzinfo=UTC) for m in moments)
        return cls(first, last)

    @property
    def key(self) -> str:
        """A name that sorts by time."""
        return f"{self.start:%Y%m%dT%H%M%S}-{self.end:%Y%m%dT%H%M%S}"


def files_of(patterns: Sequence[str], interval: Interval) -> tuple[Path, ...]:
    """Files of an interval: patterns name it by {start:%Y-%m-%d}, and may have stars."""
    told = [each.format(start=interval.start, end=interval.end) for each in patterns]
    found = (sorted(glob.glob(each)) if "*" in each else [each] for each in told)  # noqa: PTH207
    return tuple(Path(path) for paths in found for path in paths)


def ready(settings: Settings, interval: Interval, patterns: Sequence[str] = ()) -> bool:
    """Whether all files of an interval are there."""
    asked = patterns or settings.sources.reviews
    found = files_of(asked, interval)
    return bool(not asked or (found and all(path.is_file() for path in found)))


def ingest(
    settings: Settings,
    interval: Interval,
    patterns: Sequence[str] = (),
    *,
    observer: Observer | None = None,
) -> Lineage:
    """Add an interval to the tables; returns the data's lineage with the new tables."""
    lineage = lineages.of_data(settings)
    raw = files_of(patterns or settings.sources.reviews, interval)
    if not raw:
        return lineage  # nothing new is told: the tables stand as they are
    database.upgrade(database.of(settings))
    home = settings.home.resolve()
    with opened(settings, {TABLES: lineage[TABLES]}, observer) as context:
        base = context.inputs[TABLES]
        chain = dict(base.manifest.parameters.get(CHAIN, {}))
        root = context.store.open(TABLES, base.manifest.parameters.get(ROOT, base.version))
        with making(home, DAYS, wait=PATIENCE):
            day = _day(context, root, interval, raw)
        with making(home, TABLES, wait=PATIENCE):
            tables = _compose(context, root, {**chain, interval.key: day.version})
    return {**lineage, TABLES: tables.version}


def _day(context: Context, root: Artifact, interval: Interval, raw: Sequence[Path]) -> Artifact:
    """What an interval holds that the root does not."""
    recipe = {
        "interval": interval.key,
        "raw": [sha256_of(path) if path.is_file() else "missing" for path in raw],
        "root": root.version,
        "code": code_digest("features", __name__),
        "most": context.settings.features.ingest.max_bad_share,
    }

    def fill(draft: Draft) -> None:
        from features.ingest import ingest_day
        from recsys.pipeline.stages.data import keep_out_erased

        count = context.a_day(
            lambda spark: ingest_day(
                spark, raw, root.path, draft.path,
                quarantine_out=context.store.home / "quarantine" / draft.manifest.version,
                max_bad_share=context.settings.features.ingest.max_bad_share,
                now=datetime.now(UTC), known=(interval.start, interval.end),
            ),
            raw,
        )  # fmt: skip
        keep_out_erased(context, draft.path)
        draft.describe(metrics={"purchases": count}, data_cut=interval.end.isoformat())

    return made(context, DAYS, recipe, {TABLES: root.version}, fill)


def made(
    context: Context, kind: str, recipe: Mapping[str, Any], inputs: Mapping[str, str], fill: Any
) -> Artifact:
    """Open what a recipe makes, or make it now."""
    text = json.dumps(dict(recipe), sort_keys=True)
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        found = context.store.open(kind, version)
        context.store.point(kind, version)
    except ArtifactError:
        manifest = Manifest(
            kind=kind, version=version, created_at=datetime.now(UTC).isoformat(),
            code=str(recipe.get("code", "")), inputs=dict(inputs), parameters=dict(recipe),
        )  # fmt: skip
        context.observer.event(kind, "start")
        with context.store.create(
            manifest, before_rename=lambda: context.observer.event(kind, "written")
        ) as draft:
            fill(draft)
        context.observer.event(kind, "done")
        return context.store.open(kind, version)
    context.observer.event(kind, "skip")
    return found


def _compose(context: Context, root: Artifact, chain: Mapping[str, str]) -> Artifact:
    """The root and all intervals in the order of time."""
    ordered = dict(sorted(chain.items()))
    recipe = {ROOT: root.version, CHAIN: ordered, "code": code_digest(__name__)}
    inputs = {DAYS: ",".join(ordered.values())}

    def fill(draft: Draft) -> None:
        for part in ("purchases", "items"):
            link_tree(root.path / part, draft.path / part)
        told = root.manifest.metrics
        new = _follow(context.store, ordered, draft.path / "purchases")
        cut = max(ordered).partition("-")[2]
        draft.describe(
            metrics={**told, "purchases": told["purchases"] + new, "intervals": len(chain)},
            data_cut=datetime.strptime(cut, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).isoformat(),
        )

    return made(context, TABLES, recipe, inputs, fill)


def link_tree(source: Path, target: Path) -> None:
    """The same files in another folder, without their bytes twice."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, to)


def _follow(store: ArtifactStore, chain: Mapping[str, str], out: Path) -> int:
    """Write the intervals' rows, each once, numbered on within their shoppers."""
    seen: set[tuple[Any, ...]] = set()
    before: Counter[str] = Counter()
    for key, version in chain.items():
        table = read_table(store.open(DAYS, version).path / "purchases")
        kept = []
        for row in sorted(table.to_pylist(), key=lambda row: (row["user_id"], row["sequence"])):
            identity = tuple(row[name] for name in _IDENTITY)
            if identity not in seen:
                seen.add(identity)
                kept.append(row | {"sequence": row["sequence"] + before[row["user_id"]]})
        before.update(row["user_id"] for row in kept)
        if kept:
            pq.write_table(pa.Table.from_pylist(kept, table.schema), out / f"part-{key}.parquet")
    return len(seen)
