"""A day of purchases: into the tables, then into the features, offline and online.

Each run takes one data interval. A retry, a clear, a back-fill in any order and two runs at once
give the same tables. A day costs a day's work: the features follow from those of the day before.

Command-line twin: `tailor interval run --start S --end E`.
"""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, Param, PokeReturnValue, dag, task

from tailor_shared import DRIFT, FEATURES, HOME_POOL, common


@task.sensor(poke_interval=300, timeout=6 * 3600, mode="reschedule", retries=0)
def files(start: str, end: str, reviews: list[str]) -> PokeReturnValue:
    """Wait until the files of the interval are there; between two looks no worker is held."""
    from recsys.pipeline.interval import Interval, ready
    from recsys.settings import load

    return PokeReturnValue(ready(load(), Interval.parse(start, end), reviews))


@task(pool=HOME_POOL)
def ingest(start: str, end: str, reviews: list[str]) -> dict[str, str]:
    """Add the interval to the tables; too many bad rows stop the run here."""
    from recsys.pipeline.interval import Interval, ingest
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return ingest(load(), Interval.parse(start, end), reviews, observer=Logged())


@task(pool=HOME_POOL)
def features(lineage: dict[str, str], start: str, end: str) -> dict[str, str]:
    """Bring the features to the end of the interval, by Spark."""
    from recsys.pipeline.interval import Interval
    from recsys.pipeline.interval_features import features
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return features(load(), lineage, Interval.parse(start, end), observer=Logged())


@task(pool=HOME_POOL)
def stage(name: str, lineage: dict[str, str]) -> dict[str, str]:
    """Run one stage of the pipeline on a lineage."""
    from recsys.pipeline.observer import Logged
    from recsys.pipeline.step import step
    from recsys.settings import load

    return step(load(), name, lineage, observer=Logged())


@task(outlets=[FEATURES])
def skew_check(lineage: dict[str, str]) -> int:
    """Compare what is online with the features; then hand the interval over to what follows."""
    from recsys.pipeline.daily import compare_online, hand_over
    from recsys.settings import load

    settings = load()
    compared = compare_online(settings, lineage)
    hand_over(settings, lineage)
    return compared


@task(outlets=[DRIFT])
def drift(most: float) -> dict[str, float]:
    """Ask for a training where a feature has moved; else nothing is asked for."""
    from airflow.sdk.exceptions import AirflowSkipException

    from recsys.pipeline.daily import drift
    from recsys.settings import load

    moved = drift(load(), most)
    if not moved:
        raise AirflowSkipException("no feature has moved that far")
    return moved


def documented(name: str, doc: str):  # noqa: ANN201 -- Airflow's own type is not public
    """A stage as a task of its own name."""
    return stage.override(task_id=name, doc_md=doc)


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    params={
        "reviews": Param(
            [],
            type="array",
            items={"type": "string", "minLength": 1},
            description="files of purchases, with {start:%Y-%m-%d} where they name the day; "
            "empty: the setting sources.reviews",
        ),
        "retrain_beyond": Param(
            0.25,
            type="number",
            exclusiveMinimum=0,
            description="stability index of a feature beyond which a training is asked for",
        ),
    },
    **common("purchase_features", timedelta(hours=6), __doc__),
)
def purchase_features() -> None:
    """Ingest, features, embeddings, checks, index, online."""
    start, end = "{{ data_interval_start.isoformat() }}", "{{ data_interval_end.isoformat() }}"
    reviews = "{{ params['reviews'] }}"
    there = files(start, end, reviews)
    tables = ingest(start, end, reviews)
    there >> tables
    lineage = features(tables, start, end)
    lineage = documented("embeddings", "Vectors of items and shoppers.")("embeddings", lineage)
    lineage = documented("quality_gate", "Every rule and limit; a breach stops the run.")(
        "quality", lineage
    )
    moved = drift("{{ params['retrain_beyond'] }}")
    lineage >> moved
    lineage = documented("index", "What candidates are found by.")("index", lineage)
    lineage = documented("materialise", "Bring online what changed.")("store", lineage)
    skew_check(lineage)


purchase_features()
