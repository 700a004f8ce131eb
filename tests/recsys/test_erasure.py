"""A shopper who is erased is nowhere any more, and everybody else is where they were."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.artifacts import ArtifactStore, Releases
from recsys.erasure import erase, erase_requested
from recsys.listing import shopper_lists
from recsys.online import repo_of
from recsys.published import Published
from recsys.results import database, erasures
from recsys.scrub import all_versions, leave_out, with_user
from recsys.settings import load
from tests.conftest import Home

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def in_the_report(home: Home) -> str:
    """A shopper whom even the report tells of."""
    told = json.loads((home.path / "artifacts/report/current/report.json").read_text())
    return str(told["examples"][0]["user_id"])


def places(home: Path, user: str) -> list[str]:
    """All files outside the raw ones that name a shopper."""
    found = [str(path.relative_to(home)) for path in with_user(home, user)]
    for path in home.rglob("*"):
        text = path.is_file() and path.suffix not in {".parquet", ".gz"} and "db" not in path.suffix
        if text and user.encode() in path.read_bytes():
            found.append(str(path.relative_to(home)))
    return found


def test_she_is_nowhere_and_everything_else_still_serves(home: Home) -> None:
    settings, user = load(), in_the_report(home)
    releases = Releases(ArtifactStore(home.path))
    live = str(releases.live())
    others = list(shopper_lists(home.path / "artifacts/lists/current"))
    assert places(home.path, user)
    receipt = erase(user, settings)
    assert places(home.path, user) == []
    for place in ("tables", "features", "embeddings", "index", "profiles", "lists", "report",
                  "online", "results", "caches"):  # fmt: skip
        assert receipt.removed[place] > 0, place
    releases.open(live)  # every file is as its manifest says
    published = Published.open(settings)
    assert published.refused == {}
    assert published.release.id == live
    assert published.list_of(user).rung == "popular"
    someone = next(one for one in others if one.user_id != user)
    assert published.list_of(someone.user_id) == someone
    assert repo_of(settings).read("user_history", [user])["event_timestamp"] == [None]
    assert repo_of(settings).read("user_history", [someone.user_id])["event_timestamp"] != [None]
    again = erase(user, settings)
    assert again.total == 0
    assert again.user_digest == receipt.user_digest


def test_requests_wait_for_maintenance_and_leave_no_name(home: Home) -> None:
    settings = load()
    engine = database.of(settings)
    user = next(shopper_lists(home.path / "artifacts/lists/current")).user_id
    erasures.request(engine, user)
    assert erasures.waiting(engine) == [user]
    assert [one.user_digest for one in erase_requested(settings)] == [erasures.digest_of(user)]
    assert erasures.waiting(engine) == []
    assert erasures.erased(engine) == {erasures.digest_of(user)}


def test_who_was_erased_is_not_read_in_again(home: Home, tmp_path: Path) -> None:
    user = next(shopper_lists(home.path / "artifacts/lists/current")).user_id
    tables = ArtifactStore(home.path).folder("tables", "current") / "purchases"
    rows = sum(with_user(tables, user).values())
    assert leave_out(tables, {erasures.digest_of("somebody else")}) == 0
    assert leave_out(tables, {erasures.digest_of(user)}) == rows > 0


KILLED = """
import os, signal, sys
import recsys.scrub as scrub
from recsys.erasure import erase
from recsys.settings import load
left = [int(sys.argv[2])]
exchange = scrub.exchange
def dying(one, other):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    exchange(one, other)
scrub.exchange = dying
erase(sys.argv[1], load())
"""


def test_killed_half_way_all_is_intact_and_a_second_call_ends_it(home: Home) -> None:
    user = in_the_report(home)
    root = Path(__file__).parents[2]
    died = subprocess.run(
        [sys.executable, "-c", KILLED, user, "2"], check=False, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    store = ArtifactStore(home.path)
    for kind, version in all_versions(store):
        store.open(kind, version)
    assert Published.open(load()).refused == {}
    assert erasures.waiting(database.of(load())) == [user]
    assert erase(user, load()).total > 0
    assert places(home.path, user) == []
