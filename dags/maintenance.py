"""Upkeep, once a day: erasures first, then what is old, then whether all is whole, then vacuum.

Command-line twin: `tailor maintenance`.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, chain, dag, task

from tailor_shared import HOME_POOL, common


@task(pool=HOME_POOL)
def erase() -> list[dict[str, object]]:
    """Erase who asked for it, from every store; returns the receipts, which name nobody."""
    from recsys.erasure import erase_requested
    from recsys.settings import load

    return [receipt.as_dict() for receipt in erase_requested(load())]


@task(pool=HOME_POOL)
def retain(keep_releases: int, keep_days: int) -> dict[str, object]:
    """Remove releases, artifacts and partitions that nobody needs any more."""
    from recsys.pipeline.upkeep import retain
    from recsys.settings import load

    return retain(load(), keep_releases=keep_releases, keep_days=keep_days).as_dict()


@task
def integrity() -> int:
    """Check every file of every artifact by its digest; damage fails the task."""
    from recsys.pipeline.upkeep import integrity
    from recsys.settings import load

    if damaged := integrity(load()):
        raise ValueError(f"damaged: {damaged}")
    return 0


@task(pool=HOME_POOL)
def vacuum() -> list[str]:
    """Make the home's SQLite files compact: what was deleted is really gone then."""
    from recsys.pipeline.upkeep import vacuum
    from recsys.settings import load

    return vacuum(load())


@dag(
    schedule=CronTriggerTimetable("30 1 * * *", timezone="UTC"),
    params={
        "keep_releases": Param(
            7, type="integer", minimum=2, maximum=1000, description="releases that stay"
        ),
        "keep_days": Param(
            30, type="integer", minimum=1, maximum=3650, description="days that partitions stay"
        ),
    },
    **common("maintenance", timedelta(hours=4), __doc__),
)
def maintenance() -> None:
    """One after the other."""
    chain(
        erase(),
        retain("{{ params['keep_releases'] }}", "{{ params['keep_days'] }}"),
        integrity(),
        vacuum(),
    )


maintenance()
