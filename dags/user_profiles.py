"""Profiles of the shoppers whose history changed: written in shards, embedded, brought online.

Command-line twin: `tailor profiles run`.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from tailor_shared import FEATURES, HOME_POOL, PROFILES, SCORING_POOL, common


@task
def shards(number: int) -> list[list[int]]:
    """Cut the shoppers into shards."""
    return [[shard, number] for shard in range(number)]


@task
def data() -> dict[str, str]:
    """Take the data as the last interval left them."""
    from recsys.pipeline.lineage import of_data
    from recsys.settings import load

    return of_data(load())


@task(pool=SCORING_POOL, max_active_tis_per_dagrun=4)
def write(lineage: dict[str, str], shard: list[int]) -> dict[str, object]:
    """Write the guided profiles that are due of one shard."""
    from recsys.pipeline.daily import write_profiles
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return write_profiles(load(), lineage, (shard[0], shard[1]), Logged())


@task(pool=HOME_POOL)
def profiles(lineage: dict[str, str]) -> dict[str, str]:
    """Groups, rows of everybody, and their embeddings."""
    from recsys.pipeline.observer import Logged
    from recsys.pipeline.step import step
    from recsys.settings import load

    return step(load(), "profiles", lineage, observer=Logged())


@task(pool=HOME_POOL, outlets=[PROFILES])
def materialise(lineage: dict[str, str]) -> dict[str, str]:
    """Bring the profiles online, and hand them over to what follows."""
    from recsys.pipeline.daily import hand_over
    from recsys.pipeline.observer import Logged
    from recsys.pipeline.step import step
    from recsys.settings import load

    settings = load()
    made = step(settings, "store", lineage, observer=Logged())
    hand_over(settings, made)
    return made


@dag(
    schedule=[FEATURES],
    params={
        "shards": Param(
            4, type="integer", minimum=1, maximum=1000, description="pieces written side by side"
        ),
    },
    **common("user_profiles", timedelta(hours=4), __doc__),
)
def user_profiles() -> None:
    """Shards, then all of them together."""
    lineage = data()
    pieces = shards("{{ params['shards'] }}")
    written = (
        write.override(doc_md=write.function.__doc__).partial(lineage=lineage).expand(shard=pieces)
    )
    made = profiles(lineage)
    written >> made
    materialise(made)


user_profiles()
