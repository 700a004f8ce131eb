"""A training: weekly, or when features have moved. It ends in a candidate, not in a release.

Command-line twin: `tailor candidate train`.
"""

from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task

from tailor_shared import CANDIDATE, DRIFT, GPU_POOL, GPU_QUEUE, HOME_POOL, common


@task
def data() -> dict[str, str]:
    """Take the data as the last interval left them."""
    from recsys.pipeline.lineage import of_data
    from recsys.settings import load

    return of_data(load())


@task(pool=HOME_POOL, execution_timeout=timedelta(hours=6))
def stage(name: str, lineage: dict[str, str]) -> dict[str, str]:
    """Run one stage of the pipeline on a lineage."""
    from recsys.pipeline.observer import Logged
    from recsys.pipeline.step import step
    from recsys.settings import load

    return step(load(), name, lineage, observer=Logged())


@task
def together(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """Put together what was trained side by side."""
    return {**one, **other}


@task
def proof(lineage: dict[str, str], required: bool) -> dict[str, str]:
    """See whether the hypernetwork is proved to be personal; one that is not gets no weight."""
    from recsys.pipeline.stages.models import unproved
    from recsys.pipeline.step import opened
    from recsys.settings import load

    with opened(load(), {"hypernet": lineage["hypernet"]}) as context:
        why = unproved(context.inputs)
    if why and required:
        raise ValueError(f"not proved to be personal: {why}")
    return lineage


@task(outlets=[CANDIDATE])
def candidate(lineage: dict[str, str]) -> dict[str, str]:
    """Note what was trained as the candidate."""
    from recsys.pipeline.candidate import propose
    from recsys.settings import load

    return propose(load(), lineage)


WHAT = {
    "features": "Choose the moments anew, and compute the features at each.",
    "embeddings": "Vectors of items and of shoppers at each moment.",
    "index": "Neighbours, links and the index at each moment.",
    "ranker": "Train the ranker on what was bought next.",
    "lm": "Train the small language model, or name the large one.",
    "hypernet": "Train the hypernetwork that writes adapters.",
    "blend": "Choose the weight of the language model.",
    "decision": "Decide by slice of the shoppers what serves: it must do no harm.",
}


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 3 * * 0", timezone="UTC"), assets=[DRIFT]
    ),
    params={
        "proof_required": Param(
            False,
            type="boolean",
            description="whether a hypernetwork that is not proved to be personal fails the run",
        ),
    },
    **common("train_models", timedelta(hours=20), __doc__),
)
def train_models() -> None:
    """Data, then ranker beside language model, then the candidate."""

    def run(name, lineage, **how):  # noqa: ANN001, ANN003, ANN202
        return stage.override(task_id=name, doc_md=WHAT[name], **how)(name, lineage)

    gpu = {"pool": GPU_POOL, "queue": GPU_QUEUE, "execution_timeout": timedelta(hours=12)}
    lineage = data()
    for name in ("features", "embeddings", "index"):
        lineage = run(name, lineage)
    ranked = run("ranker", lineage)
    adapted = run("hypernet", run("lm", lineage, **gpu), **gpu)
    whole = together(ranked, adapted)
    for name in ("blend", "decision"):
        whole = run(name, whole, **gpu)
    whole = proof(whole, "{{ params['proof_required'] }}")
    candidate(whole)


train_models()
