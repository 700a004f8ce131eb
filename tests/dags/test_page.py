"""A person's way: sign in to Airflow's page, trigger `batch_scoring`, see it turn green."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from recsys.airflow_home import sign_in
from recsys.artifacts import ArtifactStore, Releases
from recsys.settings import load
from tests.conftest import Home, browser
from tests.dags.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.chromium]

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SECONDS = 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def page(home: Home, tmp_path: Path) -> Iterator[str]:
    """`tailor airflow start`; gives the page's address. Told to end, it leaves nothing running."""
    port = free_port()
    log = tmp_path / "airflow.log"
    code = "import sys; from recsys.cli import main; sys.exit(main())"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "airflow", "start", "--port", str(port)],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
    parts: list[psutil.Process] = []
    try:
        wait_for(f"http://127.0.0.1:{port}/api/v2/monitor/health", log, process)
        parts = psutil.Process(process.pid).children(recursive=True)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # as whoever runs it for good would
        try:
            process.wait(60)
        finally:
            _, left = psutil.wait_procs(parts, timeout=20)
            for part in left:
                part.kill()
    assert parts
    assert not left


def wait_for(url: str, log: Path, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if b'"scheduler":{"status":"healthy"' in answer.read().replace(b" ", b""):
                    return
        except (urllib.error.URLError, OSError):
            pass
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < until, log.read_text()[-3000:]
        time.sleep(1)


def test_batch_scoring_is_triggered_and_turns_green(page: str, home: Home, tmp_path: Path) -> None:
    from tests.dags.browser import trigger_and_wait

    before = Releases(ArtifactStore(home.path)).live()
    user, password = next(iter(sign_in(load()).items()))
    shot = tmp_path / "graph.png"
    trigger_and_wait(str(browser()), FLAGS, page, user, password, "batch_scoring", shot, SECONDS)
    assert shot.stat().st_size > 10_000
    assert Releases(ArtifactStore(home.path)).live() is not None
    assert before is not None
    if keep := os.environ.get("TESTS_KEEP_SCREENSHOT"):
        shutil.copy(shot, keep)
