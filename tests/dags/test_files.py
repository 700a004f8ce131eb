"""Every DAG parses light, is documented, and says how it is tried again and when it is late."""

import ast
import json
import sys
from typing import Any

import pytest

from tests.dags.conftest import DAGS, new_airflow, python

NAMES = {
    "purchase_features", "user_profiles", "train_models", "offline_report", "batch_scoring",
    "maintenance",
}  # fmt: skip
HEAVY = {"torch", "pyspark", "feast", "faiss", "transformers", "lightgbm", "pandas", "numpy",
         "recsys", "features", "personalizer"}  # fmt: skip

PARSE = """
import json, sys, time
import airflow.sdk
import airflow.providers.standard.operators.hitl
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
told, seconds = {}, {}
for name in sys.argv[2:]:
    began = time.monotonic()
    module = __import__(name)
    seconds[name] = time.monotonic() - began
    dag = getattr(module, name)()
    dag.check_cycle()
    told[name] = {
        "doc": bool(dag.doc_md), "tags": sorted(dag.tags), "deadline": bool(dag.deadline),
        "params": {key: dag.params.get_param(key).description for key in dag.params},
        "tasks": {
            task.task_id: {
                "doc": bool(task.doc_md), "retries": task.retries, "owner": task.owner,
                "backoff": bool(task.retry_exponential_backoff), "pool": task.pool,
                "queue": task.queue,
                "limit": bool(task.execution_timeout or getattr(task, "response_timeout", None)),
                "callback": bool(task.on_failure_callback),
                "outlets": [outlet.name for outlet in task.outlets],
                "after": sorted(task.downstream_task_ids),
            }
            for task in dag.tasks
        },
    }
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps({"dags": told, "seconds": seconds, "loaded": loaded}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    airflow = new_airflow(tmp_path_factory.mktemp("airflow"))
    return json.loads(python(airflow, "-c", PARSE, str(DAGS), *sorted(NAMES)).splitlines()[-1])


def test_there_is_a_file_per_dag() -> None:
    files = {path.stem for path in DAGS.glob("*.py")}
    assert files == NAMES | {"tailor_shared"}


def test_parsing_is_quick_and_loads_nothing_heavy(parsed: Any) -> None:
    assert HEAVY & set(parsed["loaded"]) == set()
    assert max(parsed["seconds"].values()) < 1


def test_everything_is_documented_and_bounded(parsed: Any) -> None:
    for name, dag in parsed["dags"].items():
        assert dag["doc"], name
        assert dag["deadline"], name
        assert dag["tags"] == ["tailor"]
        assert all(dag["params"].values()), name
        for task, told in dag["tasks"].items():
            where = f"{name}.{task}"
            assert told["doc"], where
            assert told["owner"] == "tailor", where
            assert told["limit"], where
            assert told["callback"], where
            assert told["retries"] == (0 if task in {"files", "approve"} else 3), where
            assert told["backoff"], where


def test_models_are_trained_on_the_gpu_queue(parsed: Any) -> None:
    tasks = parsed["dags"]["train_models"]["tasks"]
    on_gpu = {
        name for name, told in tasks.items() if (told["pool"], told["queue"]) == ("gpu", "gpu")
    }
    assert on_gpu == {"lm", "hypernet", "blend", "decision"}


def test_each_says_what_the_next_waits_for(parsed: Any) -> None:
    told = {
        outlet: name
        for name, dag in parsed["dags"].items()
        for task in dag["tasks"].values()
        for outlet in task["outlets"]
    }
    assert told == {
        "tailor_features": "purchase_features",
        "tailor_drift": "purchase_features",
        "tailor_profiles": "user_profiles",
        "tailor_candidate": "train_models",
        "tailor_release": "offline_report",
        "tailor_lists": "batch_scoring",
    }


def test_dag_files_import_only_airflow_and_the_standard_library() -> None:
    for path in DAGS.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.partition(".")[0] for name in names}
            assert tops <= {"airflow", "tailor_shared", *sys.stdlib_module_names}, path.name
