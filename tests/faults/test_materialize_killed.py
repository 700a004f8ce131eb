"""Killed while it brings features online, a run leaves whole rows, and the next writes the rest."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from features.instants import to_micros
from features.repo.views import VIEWS
from features.store import FeatureRepo
from tests.features.stores import AS_OF, KINDS, edge_table, store_settings, write_view

ROOT = Path(__file__).parent.parent.parent
VIEW = "user_profile"


@pytest.fixture(params=KINDS)
def settings(request):
    with store_settings(request.param, chunk_rows=2) as own:
        yield own


@pytest.mark.slow
def test_whole_rows_are_left_and_the_next_run_goes_on(settings, tmp_path):
    many = edge_table(VIEW)
    users = [f"user {n}" for n in range(9)]
    table = pa.concat_tables([many, many]).slice(0, 9).set_column(0, "user_id", pa.array(users))
    write_view(tmp_path / "offline", VIEW, table)
    repo = FeatureRepo(tmp_path / "home", settings)
    repo.apply(tmp_path / "offline")
    given = settings.model_dump() | {
        name: getattr(settings, name).get_secret_value() for name in ("connection", "registry")
    }
    # Redis carries a chunk out at once: there is no within
    places = ["between"] if settings.online == "redis" else ["within", "between"]
    for where, left in zip(places, (4, 6) if len(places) == 2 else (6,), strict=True):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.faults.materialize_killed", str(repo.home),
             str(to_micros(AS_OF)), where, json.dumps(given)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == -signal.SIGKILL, ran.stderr[-2000:]
        found = repo.read(VIEW, users)
        assert sum(moment is not None for moment in found["event_timestamp"]) == left
        for at, moment in enumerate(found["event_timestamp"]):
            expected = table["level"][at].as_py() if moment else None
            assert found["level"][at] == expected
    assert repo.status()[VIEWS.index(VIEW)].materialized_until is None
    assert repo.materialize(AS_OF, AS_OF, [VIEW]) == 3
    assert repo.read(VIEW, users)["event_timestamp"] == [AS_OF] * 9
    assert repo.read(VIEW, users) == repo.read_by_feast(VIEW, users)
