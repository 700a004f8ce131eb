"""An Airflow home of the tests' own, and DAGs run for real in a process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
DAGS = ROOT / "dags"
RUN_ONCE = Path(__file__).with_name("run_once.py")


def python(environment: dict[str, str], *words: str) -> str:
    """Run Python in a process of its own; returns what it said."""
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _what_failed(said: str) -> str:
    """The first error that a task told, with what came before it."""
    lines = said.splitlines()
    at = next((n for n, line in enumerate(lines) if "[error" in line), len(lines))
    return "\n".join(lines[max(0, at - 10) : at + 40])


def new_airflow(folder: Path) -> dict[str, str]:
    """The environment of an Airflow on SQLite whose home is a folder."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "PYTHONPATH": str(ROOT),
    }
    python(environment, "-m", "airflow", "db", "migrate")
    return environment


@pytest.fixture
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow that is no other test's: runs leave traces in it."""
    return new_airflow(tmp_path_factory.mktemp("airflow"))


@pytest.fixture
def run_dags(airflow: dict[str, str]) -> Callable[..., list[dict[str, Any]]]:
    """Run DAGs one after the other: (id, logical date, conf) each; gives the states of tasks."""

    def run(*asked: tuple[str, str, dict[str, Any]], spark: bool = False, **more: str) -> Any:
        ours = {name: value for name, value in os.environ.items() if name.startswith("TAILOR_")}
        words = [str(RUN_ONCE), str(DAGS), json.dumps(asked), *(["--spark"] if spark else [])]
        said = python(airflow | ours | more, *words)
        told = [json.loads(li[7:]) for li in said.splitlines() if li.startswith("STATES ")]
        assert [one["run"] for one in told] == ["success"] * len(asked), _what_failed(said)
        return told

    return run
