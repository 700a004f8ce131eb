"""What follows on a day: profiles in shards, a look at what is online, drift, hand-over."""

from collections.abc import Mapping
from typing import Any

from recsys.errors import StageError
from recsys.pipeline import lineage as lineages
from recsys.pipeline.interval import Interval, ingest
from recsys.pipeline.interval_features import features
from recsys.pipeline.lineage import Lineage
from recsys.pipeline.observer import Observer
from recsys.pipeline.parts import moment_folder
from recsys.pipeline.step import opened, step
from recsys.results import database, quality
from recsys.settings import Settings
from recsys.tables import Shard, hash_order, read_table, shard_of

__all__ = ["DAILY", "compare_online", "drift", "hand_over", "run_interval", "write_profiles"]

DAILY = ("embeddings", "quality", "index", "store")
"""Stages of a day, after its tables and features."""
COMPARED = ("user_purchase_stats", "user_history")
SAMPLE = 200
_STAMPS = {"user_id", "event_timestamp", "created_timestamp"}


def run_interval(
    settings: Settings,
    interval: Interval,
    patterns: tuple[str, ...] = (),
    observer: Observer | None = None,
) -> Lineage:
    """All of an interval: tables, features, embeddings, checks, index, online."""
    lineage = ingest(settings, interval, patterns, observer=observer)
    lineage = features(settings, lineage, interval, observer=observer)
    for name in DAILY:
        lineage = step(settings, name, lineage, observer=observer)
    compare_online(settings, lineage)
    hand_over(settings, lineage)
    return lineage


def hand_over(settings: Settings, lineage: Mapping[str, str]) -> None:
    """Make a lineage the data that scoring and training take from here on."""
    known = {kind: lineage[kind] for kind in lineages.DATA_KINDS if kind in lineage}
    lineages.write(settings, lineages.DATA, known)


def write_profiles(
    settings: Settings, lineage: Mapping[str, str], shard: Shard, observer: Observer | None = None
) -> dict[str, Any]:
    """Write the profiles that are due of one shard of the shoppers; what is written stays."""
    from recsys.pipeline.stages.profiles import answers, population, state_of
    from recsys.profiles.job import USER, Job
    from recsys.profiles.run import profiler_of

    needed = {kind: lineage[kind] for kind in ("tables", "features", "embeddings")}
    config = settings.personalizer.profiles
    with opened(settings, needed, observer) as context:
        people = population(context.inputs, "serve")
    mine = [
        each
        for each in people.histories
        if shard_of(each.user_id, shard[1]) == shard[0]
        and len(each.purchases) >= config.min_purchases
    ]
    profiler = profiler_of(config, people.items, cache=answers(settings))
    try:
        job = Job(profiler, state_of(settings), database.of(settings), config)
        return job.run(mine, USER).as_dict()
    finally:
        profiler.generator.close()


def compare_online(settings: Settings, lineage: Mapping[str, str], most: int = SAMPLE) -> int:
    """Read some shoppers online and compare them with the features; any difference is an error."""
    from features.skew import skew
    from recsys.online import repo_of

    repo, checked = repo_of(settings), 0
    with opened(settings, {"features": lineage["features"]}) as context:
        folder = moment_folder(context.inputs, "serve")
        for view in COMPARED:
            table = read_table(folder / view)
            users = table["user_id"].to_pylist()
            rows = table.take(hash_order(users)[:most]).to_pylist()
            offline = {row["user_id"]: row for row in rows}
            names = [name for name in repo_names(view) if name not in _STAMPS]
            answer = repo.read(view, list(offline))
            online = {
                user: {name: answer[name][at] for name in names} for at, user in enumerate(offline)
            }
            found = skew(online, offline, names)
            if found.mismatches:
                raise StageError(
                    f"{found.mismatches} values differ online, such as {found.examples[0]}",
                    where=view,
                    fix="run the stage `store` again; a purchase pushed meanwhile differs rightly",
                )
            checked += found.checked
    return checked


def repo_names(view: str) -> tuple[str, ...]:
    """Features of a view as the online store has them."""
    from features.repo.views import layout

    return tuple(layout(view).names)


def drift(settings: Settings, most: float) -> dict[str, float]:
    """Columns whose stability index, as measured last, is beyond `most`."""
    checks = quality.latest(database.of(settings))
    return {
        f"{one.view}.{one.feature}": one.value
        for one in checks
        if one.measure == "psi" and one.value > most
    }
