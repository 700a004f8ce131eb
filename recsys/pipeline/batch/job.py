"""The batch, step by step: what to score, a shard of it, all of it together, and its release."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from recsys.pipeline import lineage as lineages
from recsys.pipeline.batch.shards import ShardDone, check, score_shard, work_folder
from recsys.pipeline.lineage import Lineage
from recsys.pipeline.lock import exclusive
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.observer import Observer
from recsys.pipeline.parts import catalogue_of
from recsys.pipeline.publish import Interval, publish
from recsys.pipeline.step import PATIENCE, opened, stage_of, step
from recsys.results import database
from recsys.settings import Settings

__all__ = ["Plan", "finish", "plan", "release", "run", "score"]

LISTS = "lists"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """What is scored: by which versions, in how many shards, for which interval."""

    version: str  # that the lists will have
    shards: int
    lineage: Lineage = field(default_factory=dict)
    interval: tuple[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: it passes between tasks."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Read it back."""
        interval = told.get("interval")
        return cls(**{**told, "interval": tuple(interval) if interval else None})

    @property
    def moments(self) -> Interval | None:
        """The interval as moments."""
        if self.interval is None:
            return None
        start, end = (datetime.fromisoformat(one) for one in self.interval)
        return start, end


def plan(
    settings: Settings,
    *,
    shards: int | None = None,
    interval: Interval | None = None,
    lineage: Mapping[str, str] | None = None,
) -> Plan:
    """Take the last interval's data and the live release's models, or a lineage as given."""
    if lineage is None:
        lineage = {**lineages.live(settings), **lineages.of_data(settings)}
    stage = stage_of(LISTS)
    needed = {kind: lineage[kind] for kind in stage.inputs}
    with opened(settings, needed) as context:
        version = stage.version(context)
        if interval is None:  # the day that the data end with
            end = RunMoments.read(context.path("features")).serve
            interval = (end - DAY, end)
    told = (interval[0].isoformat(), interval[1].isoformat())
    return Plan(version, shards or settings.batch.shards, dict(lineage), told)


def score(
    settings: Settings, plan: Plan, shard: int, observer: Observer | None = None
) -> ShardDone:
    """Make the lists of one shard; shards may be scored side by side."""
    from recsys.pipeline.stages.lists import recommender_at

    check((shard, plan.shards))
    needed = {kind: plan.lineage[kind] for kind in stage_of(LISTS).inputs}
    with opened(settings, needed, observer) as context:
        catalogue = catalogue_of(context.inputs)
        recommender = recommender_at(context, "serve", catalogue)
        folder = work_folder(settings.home, plan.version)
        return score_shard(context, recommender, catalogue, folder, (shard, plan.shards))


def finish(settings: Settings, plan: Plan, observer: Observer | None = None) -> Lineage:
    """Put the shards together; a shard that is missing is scored here."""
    asked = settings.model_copy(
        update={"batch": settings.batch.model_copy(update={"shards": plan.shards})}
    )
    return step(asked, LISTS, plan.lineage, observer=observer)


def release(
    settings: Settings,
    lineage: Mapping[str, str],
    interval: Interval | None = None,
    observer: Observer | None = None,
) -> str:
    """Write the lists into the results database and online, then move the one pointer."""
    engine = database.of(settings)
    database.upgrade(engine)
    with (
        exclusive(settings.home.resolve(), wait=PATIENCE),
        opened(settings, lineage, observer) as context,
    ):
        return publish(context, engine, interval)[0]


def run(settings: Settings, plan: Plan, observer: Observer | None = None) -> str:
    """Do all steps of a plan, one after the other."""
    for shard in range(plan.shards):
        score(settings, plan, shard, observer)
    return release(settings, finish(settings, plan, observer), plan.moments, observer)
