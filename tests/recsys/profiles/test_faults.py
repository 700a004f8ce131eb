"""A server that dies half-way, a job that is killed: no shopper lost, none done twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recsys.profiles.job import USER
from recsys.profiles.state import State
from recsys.results import failures
from tests import openai_server as server
from tests.openai_server import Model, serving
from tests.recsys.profiles.world import engine_at, job, shoppers

ROOT = Path(__file__).parents[3]


@contextmanager
def process(port: int, die_after: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.openai_server", str(port), str(die_after)]
    with subprocess.Popen(command, cwd=ROOT) as running:
        try:
            until = time.monotonic() + 30
            while not server.answers(port):
                assert time.monotonic() < until
                time.sleep(0.05)
            yield running
        finally:
            running.kill()


def test_a_server_that_dies_half_way_loses_nobody(tmp_path: Path) -> None:
    port, people = server.free_port(), shoppers(20)
    url = f"http://127.0.0.1:{port}/v1"
    with process(port, die_after=18) as running:
        first = job(tmp_path, url=url, batch=4).run(people)
        assert running.wait(10) == -signal.SIGKILL
    assert 0 < first.written < 20
    assert first.written + first.waiting == 20
    assert "gone" in first.stopped
    with serving() as (alive, model):
        second = job(tmp_path, url=alive, batch=4).run(people)
    assert second.written == 20 - first.written
    assert second.unchanged == first.written
    assert len(model.asked) == 2 * second.written, "nobody is written twice"
    assert len(State(tmp_path / "profiles").signatures(USER)) == 20
    assert failures(engine_at(tmp_path)) == {}


@pytest.mark.parametrize(
    "fault",
    [server.status(429, retry_after="0"), server.status(500), server.broken_json, server.cut_off],
)
def test_faults_now_and_then_lose_nobody(tmp_path: Path, fault: server.Fault) -> None:
    model = Model(faults=[fault, None, None] * 10)
    with serving(model) as (url, _):
        outcome = job(tmp_path, url=url, tries=4).run(shoppers(12))
    assert (outcome.written, outcome.failed, outcome.by_template) == (12, 0, 0)


def test_slow_answers_lose_nobody(tmp_path: Path) -> None:
    model = Model(faults=[server.drip(2.0), server.hang(2.0)])
    with serving(model) as (url, _):
        outcome = job(tmp_path, url=url, timeout_seconds=0.3, tries=4).run(shoppers(4))
    assert (outcome.written, outcome.failed) == (4, 0)


def test_a_server_of_errors_leaves_all_for_the_next_run(tmp_path: Path) -> None:
    model = Model(always=server.status(500))
    with serving(model) as (url, _):
        outcome = job(tmp_path, url=url).run(shoppers(6))
        assert (outcome.written, outcome.failed, outcome.waiting) == (0, 6, 6)
        reasons = {each.reason for each in failures(engine_at(tmp_path)).values()}
        assert reasons == {"the server said 500, 2 times"}
        model.always = None
        outcome = job(tmp_path, url=url).run(shoppers(6))
    assert (outcome.written, outcome.waiting) == (6, 0)
    assert failures(engine_at(tmp_path)) == {}


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.recsys.profiles.world import job, shoppers
one = job(Path(sys.argv[1]), url=sys.argv[2], batch=4, concurrency=1)
keep, batches = one.state.put, []
def put(rows):
    batches.append(rows)
    if len(batches) == 3 and sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    keep(rows)
    if len(batches) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
one.state.put = put
one.run(shoppers(20))
"""


@pytest.mark.parametrize(("when", "kept"), [("before", 8), ("after", 12)])
def test_a_kill_loses_at_most_a_batch(tmp_path: Path, when: str, kept: int) -> None:
    with serving() as (url, model):
        command = [sys.executable, "-c", _KILLED, str(tmp_path), url, when]
        killed = subprocess.run(command, cwd=ROOT, check=False, env=os.environ)
        assert killed.returncode == -signal.SIGKILL
        assert len(State(tmp_path / "profiles").signatures(USER)) == kept
        outcome = job(tmp_path, url=url, batch=4).run(shoppers(20))
        assert (outcome.written, outcome.unchanged) == (20 - kept, kept)
    again = 4 if when == "before" else 0
    assert len(model.asked) == 2 * (20 + again)
