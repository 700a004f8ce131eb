import os
import subprocess
import sys
from pathlib import Path

import pytest

from features import spark as spark_module
from features.errors import FeaturesError
from features.settings import SparkSettings
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


KEPT = """
import sys
from pathlib import Path
from features.errors import FeaturesError
from features.settings import SparkSettings
from features.spark import archive, record, session, stop

sys.prefix = sys.argv[1]
settings = SparkSettings(master="local[1]", driver_memory="512m", shuffle_partitions=1)
kept = record(settings, lambda spark: spark.range(3).count())
assert kept == archive() and [*kept.parent.iterdir()] == [kept]
# Java doesn't start where the archive does not fit
options = settings.java_options + f" -Xshare:on -Xlog:class+load:file={Path(sys.prefix).name}.log"
spark = session(settings.model_copy(update={"java_options": options}))
assert spark.range(3).count() == 3
stop()
kept.chmod(0o600)
kept.write_bytes(b"of another Java")
assert session(settings).range(3).count() == 3
try:  # it runs already: there is no beginning to keep
    record(settings, lambda spark: None)
except FeaturesError as error:
    assert "wrote no archive" in str(error)
else:
    raise AssertionError("nothing was kept, and nobody says so")
"""


@pytest.mark.parametrize("path", ["/opt/a b/jars", "/opt/größe/jars", "/opt/100%/jars"])
def test_jars_that_java_would_not_find_again_are_refused(path, monkeypatch, tmp_path):
    monkeypatch.setattr(spark_module, "JARS", Path(path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(FeaturesError, match="a path with a space") as refused:
        spark_module.record(SparkSettings(), lambda spark: None)
    assert refused.value.where == path
    assert [*tmp_path.iterdir()] == []


def test_usual_paths_are_kept():
    assert spark_module.keepable(Path("/opt/my-app_1.2+3/lib/python3.11/pyspark/jars"))


@pytest.mark.slow
@pytest.mark.skipif(
    not spark_module.keepable(spark_module.JARS),
    reason="Java keeps nothing of jars under this path",
)
def test_what_java_loads_is_kept_and_what_does_not_fit_is_passed_over(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KEPT, str(tmp_path / "a b" / "prefix")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = (tmp_path / "prefix.log").read_text().splitlines()
    shared = [line for line in loaded if "org.apache.spark" in line and "shared objects" in line]
    read = [line for line in loaded if "org.apache.spark" in line and ".jar" in line]
    assert len(shared) > 10 * len(read)
