"""Airflow on this machine: a home with its settings, pools, and a check that all of it fits.

Airflow is optional: nothing else imports this, and it imports Airflow only in processes of its own.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import TailorError
from recsys.settings import Settings

__all__ = ["POOLS", "Check", "check", "environment", "prepare", "sign_in", "start"]

# name -> slots, and what for; a home takes one change of its artifacts at a time
POOLS: Mapping[str, tuple[int, str]] = {
    "tailor_home": (1, "tasks that make artifacts of the home or publish"),
    "tailor_scoring": (2, "shards scored or written side by side"),
    "gpu": (1, "tasks that want a GPU"),
}
DAGS = ("batch_scoring", "maintenance", "offline_report", "purchase_features", "train_models",
        "user_profiles")  # fmt: skip
PORT = 8080
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    what: str
    fine: bool
    told: str


def folder_of_dags() -> Path:
    """The DAG files beside this code."""
    return Path(__file__).parents[1] / "dags"


def environment(settings: Settings, port: int = PORT) -> dict[str, str]:
    """What Airflow's processes are started with; what the caller set already stays."""
    home = settings.home.resolve()
    ours = {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder_of_dags()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",  # tasks at once; each may load Spark or the models
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
    }
    always = {
        # its own processes are started by name
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "TAILOR_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(folder_of_dags().parent), *_paths()))),
    }
    return ours | dict(os.environ) | always


def _paths() -> list[str]:
    return os.environ.get("PYTHONPATH", "").split(os.pathsep)


def prepare(settings: Settings) -> list[str]:
    """Make Airflow's database and the pools; again, it changes nothing."""
    told = environment(settings)
    Path(told["AIRFLOW_HOME"]).mkdir(parents=True, exist_ok=True)
    _airflow(told, "db", "migrate")
    file = Path(told["AIRFLOW_HOME"]) / "pools.json"
    pools = {
        name: {"slots": slots, "description": what, "include_deferred": False}
        for name, (slots, what) in POOLS.items()
    }
    file.write_text(json.dumps(pools, indent=1), encoding="utf-8")
    _airflow(told, "pools", "import", str(file))
    _password(settings)
    return [f"database: {told['AIRFLOW_HOME']}", f"pools: {', '.join(POOLS)}"]


def _password(settings: Settings) -> None:
    """Choose the password of `admin` before Airflow does, so that it can be told at once."""
    file = password_file(settings)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}), encoding="utf-8")


def sign_in(settings: Settings) -> dict[str, str]:
    """Who may sign in, and with which password."""
    return dict(json.loads(password_file(settings).read_text(encoding="utf-8")))


def start(settings: Settings, port: int = PORT) -> int:
    """Run Airflow until it is stopped: page, scheduler, DAG processor, triggerer.

    Its own `standalone` ends its parts on Ctrl-C alone: where it is ended otherwise, they go on.
    So it gets Ctrl-C whichever way this process is told to end, and nothing of it is left behind.
    """
    running = subprocess.Popen(
        [*_command(), "standalone"], env=environment(settings, port), start_new_session=True
    )
    before = {
        told: signal.signal(told, lambda *_: running.send_signal(signal.SIGINT)) for told in ENDINGS
    }
    try:
        return running.wait()
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(running.pid, signal.SIGTERM)
        for told, handler in before.items():
            signal.signal(told, handler)


def password_file(settings: Settings) -> Path:
    """Where Airflow looks for passwords."""
    home = Path(environment(settings)["AIRFLOW_HOME"])
    return home / "simple_auth_manager_passwords.json.generated"


def check(settings: Settings) -> list[Check]:
    """Look at everything that the DAGs need."""
    found = shutil.which(sys.executable) is not None and _installed()
    checks = [Check("Airflow", found, _version() if found else 'pip install "tailor[airflow]"')]
    if not found:
        return checks
    told = environment(settings)
    checks.append(_tried("database", told, "db", "check"))
    pools = _names(told, "pools", "list", "--output", "json", key="pool")
    missing = sorted(set(POOLS) - pools)
    checks.append(Check("pools", not missing, f"missing: {missing}" if missing else "all there"))
    checks.append(_parsed(told))
    java = shutil.which("java")
    checks.append(Check("Java, for Spark", java is not None, java or "install Java 17 or newer"))
    released = (settings.home.resolve() / "releases" / "current").exists()
    way = "a release serves" if released else "run `tailor demo` or `tailor run` once"
    checks.append(Check("home", released, way))
    return checks


def _parsed(told: Mapping[str, str]) -> Check:
    """Load the DAG files as Airflow does."""
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]);"
        "from airflow.dag_processing.dagbag import DagBag; bag = DagBag(sys.argv[1]);"
        "print(json.dumps([sorted(bag.dags), bag.import_errors]))"
    )
    words = [sys.executable, "-c", code, told["AIRFLOW__CORE__DAGS_FOLDER"]]
    done = subprocess.run(words, env=dict(told), capture_output=True, text=True, check=False)
    if done.returncode:
        return Check("DAGs", False, (done.stderr.strip().splitlines() or ["no word"])[-1])
    names, errors = json.loads(done.stdout.splitlines()[-1])
    fine = not errors and set(DAGS) <= set(names)
    return Check("DAGs", fine, str(errors) if errors else ", ".join(names))


def _tried(what: str, told: Mapping[str, str], *words: str) -> Check:
    try:
        _airflow(told, *words)
    except TailorError as error:
        return Check(what, False, f"{error.what}; `tailor airflow prepare`")
    return Check(what, True, told["AIRFLOW_HOME"])


def _names(told: Mapping[str, str], *words: str, key: str) -> set[str]:
    try:
        lines = _airflow(told, *words).splitlines()
    except TailorError:
        return set()
    text = next((line for line in lines if line.startswith("[{")), "[]")
    return {str(row[key]) for row in json.loads(text)}


def _airflow(told: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [*_command(), *words], env=dict(told), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TailorError(
            (done.stderr.strip().splitlines() or ["no word"])[-1],
            where=f"airflow {' '.join(words[:2])}",
            fix=f"AIRFLOW_HOME is {told['AIRFLOW_HOME']}",
        )
    return done.stdout


def _command() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _installed() -> bool:
    from recsys.environment import installed

    return installed("apache-airflow")


def _version() -> str:
    from importlib.metadata import version

    return version("apache-airflow")
