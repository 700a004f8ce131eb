"""The quality watch as a stage: between what was computed and everything built on it."""

import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

from recsys.artifacts import Artifact, Releases
from recsys.artifacts.store import Draft
from recsys.errors import ArtifactError, StageError, extra
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.stage import Context
from recsys.results import database
from recsys.results import quality as results
from recsys.tables import read_json, read_table

with extra("features"):
    from pyspark.sql import SparkSession

PROFILES = "profiles.json"
_CHECKED = ("purchases", "items")
_WATCHED = ("user_purchase_stats", "user_history", "item_stats", "user_embedding")


def quality(context: Context, draft: Draft) -> None:
    """Check all tables and views; stop where a value is beyond its limit."""
    from features.quality.border import checked
    from features.quality.profile import Profile, profile
    from features.quality.rules import RULES
    from features.quality.watch import breaches, daily, watch

    settings, folders = context.settings.features.quality, _folders(context)
    tables = [name for name in folders if name in RULES]

    def check(spark: SparkSession) -> None:
        for done, name in enumerate(tables, start=1):
            checked(spark.read.parquet(str(folders[name])), name)
            context.observer.progress("quality", done, len(tables))

    context.a_day(check)
    profiles = {name: profile(folders[name]) for name in _WATCHED}
    last = {name: Profile.from_dict(told) for name, told in _last(context).items()}
    times = read_table(folders["purchases"], ["event_timestamp"])["event_timestamp"]
    days = times.to_numpy().astype("datetime64[D]").astype("int64")
    findings = [*watch(folders, profiles, last, settings), *daily(days, settings)]
    version = draft.manifest.version
    results.record(database.of(context.settings), version, map(astuple, findings))
    if settings.stops and (broken := breaches(findings)):
        raise StageError(
            "; ".join(map(str, broken[:5])),
            where=f"quality, {len(broken)} of {len(findings)} checks",
            fix="nothing was published; look at the source, or raise features.quality.*",
        )
    told = {name: one.as_dict() for name, one in profiles.items()}
    (draft.path / PROFILES).write_text(json.dumps(told), encoding="utf-8")
    draft.describe(metrics={"checks": len(findings), "compared": bool(last)})


def holds(context: Context, artifact: Artifact) -> bool:
    """Whether the results database still has what was measured."""
    return results.noted(database.of(context.settings), artifact.version)


def _folders(context: Context) -> dict[str, Path]:
    """All tables and views of the moment that serves, or of the last one."""
    name = RunMoments.read(context.path("features")).names[-1]
    moments = [context.path("features") / name, context.path("embeddings") / name]
    views = {view.name: view for moment in moments for view in moment.iterdir() if view.is_dir()}
    tables = {table: context.path("tables") / table for table in _CHECKED}
    return tables | views | {"item_embedding": context.path("embeddings") / "item_embedding"}


def _last(context: Context) -> Mapping[str, dict[str, object]]:
    """The profiles of the live release; none where there is none, or it was not watched."""
    releases = Releases(context.store)
    live = releases.live()
    if live is None:
        return {}
    try:
        version = releases.read(live).lineage.get("quality")
        path = context.store.open("quality", version).path if version else None
    except ArtifactError:  # a damaged release must not keep a new one from being made
        return {}
    profiles: dict[str, dict[str, object]] = read_json(path / PROFILES) if path else {}
    return profiles
