"""The candidate against the live release, by NDCG and accuracy; then it is published, or held.

Held, it waits for a person: the task `approve` asks in Airflow's page, under "Required actions".
Nobody waits in a worker for the answer.

Command-line twins: `tailor candidate judge`, `tailor candidate publish`.
"""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, task

from tailor_shared import CANDIDATE, HOME_POOL, RELEASE, common


@task(pool=HOME_POOL)
def verdict(hold: str) -> dict[str, object]:
    """Report on the candidate, and compare it with what serves, on the same shoppers."""
    from recsys.pipeline.candidate import judge
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return judge(load(), hold=hold, observer=Logged())[1].as_dict()


@task.branch
def decide(told: dict[str, object]) -> str:
    """Publish at once, or hold for a person."""
    return "publish" if told["publish"] else "approve"


@task(
    pool=HOME_POOL,
    outlets=[RELEASE],
    trigger_rule="none_failed_min_one_success",
    execution_timeout=timedelta(hours=6),
)
def publish() -> str:
    """Make the candidate's lists and move the one pointer."""
    from recsys.pipeline.candidate import publish
    from recsys.pipeline.observer import Logged
    from recsys.settings import load

    return publish(load(), Logged())


@dag(
    schedule=[CANDIDATE],
    params={
        "hold": Param(
            "worse",
            type="string",
            enum=["worse", "not better", "never"],
            description="when a person is asked: known to be worse than what serves, not known "
            "to be better, or never",
        ),
    },
    **common("offline_report", timedelta(days=3), __doc__),
)
def offline_report() -> None:
    """Judge, then publish or ask."""
    told = verdict("{{ params['hold'] }}")
    decided = decide(told)
    ask = ApprovalOperator(
        task_id="approve",
        subject="Publish a candidate that was held back?",
        body="{{ ti.xcom_pull(task_ids='verdict') | tojson(indent=1) }}",
        response_timeout=timedelta(days=2),
        defaults="Reject",
        doc_md="A person approves or rejects; without an answer in two days it is a rejection.",
        retries=0,
    )
    out = publish()
    decided >> ask >> out
    decided >> out


offline_report()
