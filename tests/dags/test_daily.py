"""The DAG parses light, names the stages as they are, and runs for real."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.pipeline.run import NAMES
from tests.conftest import Home

ROOT = Path(__file__).parent.parent.parent
DAGS = ROOT / "dags"

PARSE = """
import json, sys, time
import airflow.sdk
before = set(sys.modules)
began = time.monotonic()
sys.path.insert(0, sys.argv[1])
import tailor_daily
seconds = time.monotonic() - began
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
dag = tailor_daily.tailor_daily()
tasks = {task.task_id: [bool(task.doc_md), sorted(task.downstream_task_ids)] for task in dag.tasks}
print(json.dumps({"seconds": seconds, "loaded": loaded, "tasks": tasks}))
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow home of the tests' own."""
    home = tmp_path_factory.mktemp("airflow")
    return os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "PYTHONPATH": str(ROOT),
    }


def python(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def parsed(airflow: dict[str, str]) -> dict[str, object]:
    told: dict[str, object] = json.loads(python(airflow, "-c", PARSE, str(DAGS)).splitlines()[-1])
    return told


def test_parsing_is_quick_and_loads_nothing_heavy(parsed: dict[str, object]) -> None:
    heavy = {"torch", "pyspark", "feast", "faiss", "transformers", "recsys", "features", "numpy"}
    assert heavy & set(parsed["loaded"]) == set()
    assert parsed["seconds"] < 1


def test_the_tasks_are_the_stages_in_their_order(parsed: dict[str, object]) -> None:
    tasks = parsed["tasks"]
    following = dict(zip(NAMES, [*NAMES[1:], None], strict=True))
    assert tasks == {name: [True, [after] if after else []] for name, after in following.items()}


def test_dag_files_import_only_airflow_and_the_standard_library() -> None:
    for path in DAGS.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.partition(".")[0] for name in names}
            assert tops <= {"airflow", *sys.stdlib_module_names}, path.name


@pytest.mark.slow
@pytest.mark.spark
def test_a_run_goes_through_every_task(airflow: dict[str, str], home: Home) -> None:
    environment = airflow | {k: v for k, v in os.environ.items() if k.startswith("TAILOR_")}
    python(environment, "-m", "airflow", "db", "migrate")
    conf = {
        "reviews": [str(home.shop / "reviews.jsonl.gz")],
        "items": [str(home.shop / "items.jsonl.gz")],
    }
    script = Path(__file__).with_name("run_once.py")
    said = python(environment, str(script), str(DAGS), json.dumps(conf))
    states = json.loads(next(li for li in said.splitlines() if li.startswith("STATES "))[7:])
    assert states["run"] == "success", said[-3000:]
    assert states["tasks"] == dict.fromkeys(NAMES, "success")
