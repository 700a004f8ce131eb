"""The whole way once a day: raw files to a published release.

When and in what order, nothing else: each task runs one stage of `recsys.pipeline`, which skips
itself when its inputs have not changed, so that a retry or a second run costs nothing. Parsing this
file loads neither Spark nor torch: the work is imported inside the task.
"""

from datetime import datetime, timedelta

from airflow.sdk import Param, chain, dag, task

STAGES = (
    "ingest",
    "features",
    "embeddings",
    "quality",
    "index",
    "ranker",
    "profiles",
    "store",
    "lm",
    "hypernet",
    "blend",
    "lists",
    "report",
    "publish",
)


@task(
    retries=2,
    retry_delay=timedelta(minutes=1),
    retry_exponential_backoff=True,
    execution_timeout=timedelta(hours=6),
    max_active_tis_per_dag=1,
)
def stage(name: str, reviews: list[str], items: list[str]) -> str:
    """Run one stage; earlier stages are taken as they stand."""
    from pathlib import Path

    from recsys import settings
    from recsys.pipeline.run import run
    from recsys.pipeline.stage import RawFiles

    raw = None
    if name == STAGES[0] and reviews:
        raw = RawFiles(tuple(map(Path, reviews)), tuple(map(Path, items)))
    return run(settings.load(), raw=raw, start=name, until=name).release


@dag(
    dag_id="tailor_daily",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),  # noqa: DTZ001 -- Airflow reads it as UTC
    catchup=False,
    max_active_runs=1,
    tags=["tailor"],
    doc_md=__doc__,
    render_template_as_native_obj=True,  # the file lists arrive in the task as lists
    params={
        "reviews": Param([], type="array", description="purchase files; empty: tables as they are"),
        "items": Param([], type="array", description="raw item files"),
    },
)
def tailor_daily() -> None:
    """Chain the stages."""
    chain(
        *(
            stage.override(task_id=name, doc_md=f"Stage `{name}` of `tailor run`.")(
                name, "{{ params['reviews'] }}", "{{ params['items'] }}"
            )
            for name in STAGES
        )
    )


tailor_daily()
