import subprocess
import sys
from pathlib import Path

import pytest

from recsys.artifacts import ArtifactStore
from recsys.pipeline.observer import Silent
from recsys.pipeline.stage import Context
from tests import tiny

pytestmark = pytest.mark.spark

AGAIN = """
import os
from features.settings import SparkSettings
from features.spark import session, stop
from pathlib import Path

def children():
    parents = (Path(f"/proc/{pid}/stat").read_text().split()[3] for pid in running())
    return sum(parent == str(os.getpid()) for parent in parents)

def running():
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and "java" in command(pid)]

def command(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:  # it has ended
        return ""

settings = SparkSettings(master="local[1]", driver_memory="512m", shuffle_partitions=1)
stop()  # nothing runs: nothing to do
for _ in range(2):
    assert session(settings).range(3).count() == 3
    assert children() == 1
    stop()
    assert children() == 0
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_a_session_that_was_ended_leaves_no_java_and_can_start_again():
    done = subprocess.run(
        [sys.executable, "-c", AGAIN], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_run_leaves_a_session_alone_that_it_did_not_start(spark, tmp_path):
    context = Context(tiny.settings(tmp_path), ArtifactStore(tmp_path), Silent())
    assert context.spark.range(2).count() == 2
    context.release_spark()
    assert spark.range(2).count() == 2
