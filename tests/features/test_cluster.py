"""The same jobs on a Spark standalone cluster: a master and two workers on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pyspark
import pytest

from recsys.sample import write
from tests.features.jobs import jobs

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LOOPBACK = os.environ | {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_DAEMON_MEMORY": "256m",
}


@contextmanager
def daemon(name: str, *words: str, folder: Path) -> Iterator[Path]:
    """One of Spark's daemons as a process of ours, ended by its id; gives its log."""
    folder.mkdir()
    log = folder / "log"
    java = [str(Path(pyspark.__path__[0]) / "bin" / "spark-class"),
            f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1", *words]  # fmt: skip
    environment = LOOPBACK | {"SPARK_WORKER_DIR": str(folder / "work")}
    with log.open("w") as said:
        process = subprocess.Popen(
            java, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(words: str, log: Path, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while words not in log.read_text(errors="replace"):
        assert time.monotonic() < until, log.read_text(errors="replace")[-3000:]
        time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        master = daemon("master.Master", "--port", str(port), "--webui-port", str(free_port()),
                        folder=tmp_path / "master")  # fmt: skip
        wait_for("New state: ALIVE", stack.enter_context(master))
        logs = [
            stack.enter_context(
                daemon("worker.Worker", "--cores", "1", "--memory", "1g", "--webui-port",
                       str(free_port()), url, folder=tmp_path / f"worker {n}")
            )
            for n in (1, 2)
        ]  # fmt: skip
        for log in logs:
            wait_for("Successfully registered with master", log)
        yield url


def test_every_table_is_the_same_as_from_a_local_run(cluster, spark, tmp_path: Path) -> None:
    write(raw := tmp_path / "raw files", users=120, items=60, seed=5)
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.features.jobs", cluster, str(raw), str(tmp_path / "cluster")],
        cwd=ROOT, env=LOOPBACK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    jobs(spark, raw, tmp_path / "local")
    said, _ = started.communicate(timeout=240)
    assert started.returncode == 0, said[-4000:]
    assert [len(list((tmp_path / f"worker {n}" / "work").glob("app-*"))) for n in (1, 2)] == [1, 1]
    tables = sorted(
        str(path.parent.relative_to(tmp_path / "local"))
        for path in (tmp_path / "local").rglob("_SUCCESS")
    )
    assert len(tables) == 3 + 7 + 1  # tables and quarantine, a moment, its targets
    for name in tables:
        here, there = (pq.read_table(tmp_path / where / name) for where in ("local", "cluster"))
        if not name.startswith("features"):  # canonical tables have no order
            keys = [(column, "ascending") for column in here.column_names if column != "categories"]
            here, there = here.sort_by(keys), there.sort_by(keys)
        assert here.num_rows > 0, name
        assert here.equals(there), name
    shutil.rmtree(tmp_path / "cluster")
