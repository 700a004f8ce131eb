"""The same lists from a Spark standalone cluster of two workers as from tasks here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recsys.pipeline.batch import job
from recsys.pipeline.batch.shards import gather, work_folder
from recsys.settings import load
from tests.conftest import Home
from tests.features.test_cluster import LOOPBACK, cluster  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.spark]

ROOT = Path(__file__).parents[2]
SCORE = """
import json, sys
from recsys.pipeline.batch.job import Plan
from recsys.pipeline.batch.spark import score_all
from recsys.settings import load
print(score_all(load(), Plan.of(json.loads(sys.argv[1]))))
"""


def test_a_cluster_makes_the_same_lists(cluster: str, home: Home, tmp_path: Path) -> None:  # noqa: F811
    settings = load()
    plan = job.plan(settings, shards=2)
    folder = work_folder(home.path, plan.version)
    ours = {name: value for name, value in os.environ.items() if name.startswith("TAILOR_")}
    ran = subprocess.run(
        [sys.executable, "-c", SCORE, json.dumps(plan.as_dict())], check=False, text=True,
        env=LOOPBACK | ours | {"TAILOR_FEATURES__SPARK__MASTER": cluster, "PYTHONPATH": str(ROOT)},
        capture_output=True, cwd=tmp_path, timeout=240,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    worked = [len(list((tmp_path / f"worker {n}" / "work").glob("app-*"))) for n in (1, 2)]
    assert worked == [1, 1]
    gather(folder, 2, tmp_path / "cluster.parquet")
    for path in folder.glob("*.parquet"):
        path.unlink()
    for shard in range(2):
        job.score(settings, plan, shard)
    gather(folder, 2, tmp_path / "tasks.parquet")
    there, here = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("cluster", "tasks"))
    assert here.num_rows == int(ran.stdout.split()[-1]) > 0
    assert there.equals(here)
