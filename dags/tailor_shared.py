"""What all DAGs of tailor share: who owns them, how tasks are tried again, what is told when not.

No logic: tasks call functions of `recsys`, which have twins at the command line.
"""

import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, DeadlineAlert, DeadlineReference, SyncCallback

LOG = logging.getLogger("tailor")

HOME = Path(os.environ.get("TAILOR_HOME", ".tailor")).resolve()


def asset(what: str, path: str) -> Asset:
    """Something of the home that is new; its path is its name in OpenLineage, too."""
    return Asset(f"tailor_{what}", f"file://{HOME / path}", group="tailor")


FEATURES = asset("features", "lineage/data.json")
DRIFT = asset("drift", "artifacts/quality")
PROFILES = asset("profiles", "artifacts/profiles")
CANDIDATE = asset("candidate", "lineage/candidate.json")
RELEASE = asset("release", "releases/current")
LISTS = asset("lists", "artifacts/lists")

# made by `tailor airflow prepare`, as everything else that is not in these files
HOME_POOL, GPU_POOL, SCORING_POOL = "tailor_home", "gpu", "tailor_scoring"
CPU_QUEUE, GPU_QUEUE = "default", "gpu"

START = datetime(2024, 1, 1)  # noqa: DTZ001 -- Airflow reads it as UTC


def metric(name: str, tags: Mapping[str, str]) -> None:
    """Count one more."""
    from airflow.sdk.observability.stats import Stats

    Stats.incr(name, tags=dict(tags))


def task_failed(context: Mapping[str, Any]) -> None:
    """Write one clear line, and count it."""
    ti, error = context["ti"], context.get("exception")
    LOG.error(
        "tailor: %s.%s of %s failed for good after %s tries: %s",
        ti.dag_id, ti.task_id, ti.run_id, ti.try_number, error,
    )  # fmt: skip
    metric("tailor.task.failed", {"dag": ti.dag_id, "task": ti.task_id})


def task_retried(context: Mapping[str, Any]) -> None:
    """Write one clear line, and count it."""
    ti, error = context["ti"], context.get("exception")
    LOG.warning("tailor: %s.%s is tried again: %s", ti.dag_id, ti.task_id, error)
    metric("tailor.task.retried", {"dag": ti.dag_id, "task": ti.task_id})


def run_succeeded(context: Mapping[str, Any]) -> None:
    """Count a run that ended well."""
    metric("tailor.run.succeeded", {"dag": context["dag"].dag_id})


def run_failed(context: Mapping[str, Any]) -> None:
    """Write one clear line, and count it."""
    dag_id = context["dag"].dag_id
    LOG.error("tailor: a run of %s failed; what was published is untouched", dag_id)
    metric("tailor.run.failed", {"dag": dag_id})


def deadline_missed(dag_id: str, **_context: Any) -> None:
    """Write one clear line, and count it."""
    LOG.error("tailor: %s is later than it should be", dag_id)
    metric("tailor.deadline.missed", {"dag": dag_id})


DEFAULTS: dict[str, Any] = {
    "owner": "tailor",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=30),
    "execution_timeout": timedelta(hours=2),
    "queue": CPU_QUEUE,
    "on_failure_callback": task_failed,
    "on_retry_callback": task_retried,
}


def common(dag_id: str, deadline: timedelta, doc: str) -> dict[str, Any]:
    """Everything a DAG says besides its schedule and its parameters."""
    alert = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=deadline,
        callback=SyncCallback(deadline_missed, kwargs={"dag_id": dag_id}),
    )
    return {
        "dag_id": dag_id,
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "default_args": DEFAULTS,
        "tags": ["tailor"],
        "doc_md": doc,
        "render_template_as_native_obj": True,  # what tasks are handed stays a list, a number
        "on_success_callback": run_succeeded,
        "on_failure_callback": run_failed,
        "deadline": alert,
    }
