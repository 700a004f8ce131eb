"""Every shopper's list: shards side by side, then the results database, Feast, and one pointer.

A shard that was scored is not scored again; the lists are the same for any number of shards, and
by Spark. Killed at any moment, the release that serves stays.

Command-line twin: `tailor batch run`.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from tailor_shared import HOME_POOL, LISTS, PROFILES, SCORING_POOL, common


@task
def plan(shards: int) -> dict[str, object]:
    """Fix what is scored: the last data, the models that serve, and the day it is for."""
    from recsys.pipeline.batch.job import plan
    from recsys.settings import load

    return plan(load(), shards=shards or None).as_dict()


@task.branch
def engine(name: str) -> str:
    """By mapped tasks here, or by Spark."""
    return "score_by_spark" if name == "spark" else "shards"


@task
def shards(planned: dict[str, object]) -> list[int]:
    """Number the shards."""
    return list(range(planned["shards"]))


@task(pool=SCORING_POOL)
def score(planned: dict[str, object], shard: int) -> dict[str, object]:
    """Make the lists of one shard; rate and remaining time are in the log."""
    from recsys.pipeline.batch.job import Plan, score
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return score(load(), Plan.of(planned), shard, Logged()).as_dict()


@task(pool=SCORING_POOL, execution_timeout=timedelta(hours=6))
def score_by_spark(planned: dict[str, object]) -> int:
    """Make the lists of all shards on the cluster that `features.spark.master` names."""
    from recsys.pipeline.batch.job import Plan
    from recsys.pipeline.batch.spark import score_all
    from recsys.settings import load

    return score_all(load(), Plan.of(planned))


@task(pool=HOME_POOL, trigger_rule="none_failed_min_one_success")
def gather(planned: dict[str, object]) -> dict[str, str]:
    """Put the shards together: one list per shopper."""
    from recsys.pipeline.batch.job import Plan, finish
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return finish(load(), Plan.of(planned), Logged())


@task(pool=HOME_POOL, outlets=[LISTS])
def publish(planned: dict[str, object], lineage: dict[str, str]) -> str:
    """Write the lists into the results database and online, then move the pointer."""
    from recsys.pipeline.batch.job import Plan, release
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return release(load(), lineage, Plan.of(planned).moments, Logged())


@dag(
    schedule=[PROFILES],
    params={
        "shards": Param(
            0,
            type="integer",
            minimum=0,
            maximum=9999,
            description="pieces scored side by side; 0: the setting batch.shards",
        ),
        "engine": Param(
            "tasks", type="string", enum=["tasks", "spark"], description="what scores the shards"
        ),
    },
    **common("batch_scoring", timedelta(hours=8), __doc__),
)
def batch_scoring() -> None:
    """Plan, score, put together, publish."""
    planned = plan("{{ params['shards'] }}")
    by = engine("{{ params['engine'] }}")
    numbers = shards(planned)
    scored = (
        score.override(doc_md=score.function.__doc__).partial(planned=planned).expand(shard=numbers)
    )
    by_spark = score_by_spark(planned)
    planned >> by >> [numbers, by_spark]
    lineage = gather(planned)
    [scored, by_spark] >> lineage
    publish(planned, lineage)


batch_scoring()
