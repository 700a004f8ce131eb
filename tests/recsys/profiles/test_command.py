"""`tailor profiles` over a published home, and the stage as part of a run."""

import json
from pathlib import Path

import pytest

from recsys.artifacts import ArtifactStore
from recsys.cli import main
from recsys.cli.output import errors, out
from recsys.pipeline.stages.profiles import state_of
from recsys.profiles.view import LEVELS
from recsys.results import database, record_failures
from recsys.settings import load
from recsys.tables import read_table
from tests.conftest import Home
from tests.openai_server import Model, serving

pytestmark = pytest.mark.spark
COLUMNS = {
    "user_id", "event_timestamp", "created_timestamp", "profile", "guidance", "style",
    "history_hash", "generator", "prompt_version", "level", "embedding", "encoder",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_consoles() -> None:
    out.cache_clear()
    errors.cache_clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Model:
    with serving() as (url, model):
        monkeypatch.setenv("TAILOR_PERSONALIZER__PROFILES__GENERATOR", "openai")
        monkeypatch.setenv("TAILOR_PERSONALIZER__PROFILES__MODEL", "m")
        monkeypatch.setenv("TAILOR_PERSONALIZER__PROFILES__URL", url)
        monkeypatch.setenv("TAILOR_PERSONALIZER__PROFILES__EMBED", "false")
        monkeypatch.setenv("TAILOR_PERSONALIZER__PROFILES__TRIES", "1")
        yield model


def tailor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    code, said, complaint = tailor(capsys, "profiles", *words, "--json")
    assert code == 0, complaint
    return json.loads(said)


def view(home: Path) -> list[dict]:
    store = ArtifactStore(home)
    artifact = store.open("profiles", str(store.current("profiles")))
    return read_table(artifact.path / "user_profile").to_pylist()


def test_every_shopper_has_a_row_with_all_that_it_came_from(published: Home) -> None:
    rows = view(published.path)
    histories = read_table(published.path / "features" / "current" / "serve" / "user_history")
    assert {row["user_id"] for row in rows} == set(histories["user_id"].to_pylist())
    for row in rows:
        assert set(row) == COLUMNS
        assert row["level"] in LEVELS
        assert len(row["embedding"]) == 384
        assert row["event_timestamp"] < row["created_timestamp"]
    digest = dict(
        zip(*(histories[c].to_pylist() for c in ("user_id", "history_hash")), strict=True)
    )
    own = [row for row in rows if row["level"] == "user"]
    assert own
    assert all(row["history_hash"] == digest[row["user_id"]] for row in own)


def test_the_store_finds_the_view_beside_the_others(published: Home) -> None:
    assert (published.path / "feast" / "offline" / "user_profile" / "part-0.parquet").is_file()


def test_show_tells_guidance_profile_and_lineage(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    row = view(home.path)[0]
    shown = told(capsys, "show", row["user_id"])
    assert shown["profile"] == row["profile"]
    assert shown["guidance"] == row["guidance"]
    code, said, _ = tailor(capsys, "profiles", "show", row["user_id"])
    assert code == 0
    assert row["generator"] in said
    code, _, complaint = tailor(capsys, "profiles", "show", "nobody")
    assert code == 1
    assert "no profile of 'nobody'" in complaint


def test_a_second_run_calls_nobody(
    home: Home, server: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    first = told(capsys, "run")
    asked = len(server.asked)
    assert first["written"] == first["shoppers"] > 0
    assert asked >= 2 * first["written"]
    again = told(capsys, "run")
    assert len(server.asked) == asked
    assert (again["written"], again["calls"]) == (0, 0)


def test_a_budget_is_kept_and_the_next_run_goes_on(
    home: Home,
    server: Model,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAILOR_PERSONALIZER__PROFILES__BUDGET_CALLS", "60")
    first = told(capsys, "run")
    assert first["waiting"] > 0
    assert first["calls"] <= 60
    assert "60 calls" in first["stopped"]
    second = told(capsys, "run")
    assert second["unchanged"] >= first["written"]
    assert second["written"] > 0
    assert second["waiting"] < first["waiting"]
    groups = [row for row in view(home.path) if row["level"] != "user"]
    assert all(row["profile"] for row in groups)


def test_diff_tells_what_the_last_writing_changed(
    home: Home, server: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    user = next(row["user_id"] for row in view(home.path) if row["level"] == "user")
    assert told(capsys, "diff", user)["before"] is None
    told(capsys, "run")
    difference = told(capsys, "diff", user)
    assert difference["before"]["generator"].startswith("template@")
    assert difference["now"]["generator"].startswith(("openai:m", "template@"))
    code, said, _ = tailor(capsys, "profiles", "diff", user)
    assert code == 0
    assert "+" in said


def test_stats_count_levels_generators_and_failures(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = view(home.path)
    counted = told(capsys, "stats")
    assert counted["profiles"] == len(rows)
    assert sum(counted["by_level"].values()) == len(rows)
    assert counted["dead_letters"] == 0
    assert tailor(capsys, "profiles", "stats")[0] == 0


def test_retry_writes_what_failed(
    home: Home, server: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    server.always = lambda: (_ for _ in ()).throw(RuntimeError)
    failed = told(capsys, "run")
    assert failed["written"] == 0
    assert failed["failed"] > 0
    assert "gone" in failed["stopped"]
    engine = database.of(load())
    row = next(row for row in view(home.path) if row["level"] == "user")
    for _ in range(3):
        record_failures(engine, {row["user_id"]: "no"}, {row["user_id"]: row["history_hash"]}, "m")
    assert told(capsys, "stats")["dead_letters"] >= 1
    server.always = None
    retried = told(capsys, "retry")
    assert retried["written"] == retried["shoppers"]
    assert told(capsys, "stats")["failed"] == {}
    assert told(capsys, "retry") == {"retried": 0}


def test_a_shopper_who_waits_is_served_what_stands(
    home: Home, server: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {row["user_id"]: row["profile"] for row in view(home.path)}
    server.always = lambda: (_ for _ in ()).throw(RuntimeError)
    told(capsys, "run")
    now = {row["user_id"]: row["profile"] for row in view(home.path) if row["level"] == "user"}
    assert now
    assert all(before[user] == profile for user, profile in now.items())


def test_carried_on_is_as_good_as_afresh_with_the_template(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = told(capsys, "compare", "--shoppers", "20")
    assert figures["shoppers"] > 0
    assert figures["identical"] == 1
    assert figures["category_coverage"] == 1
    assert figures["likeness_mean"] > 0.999 > figures["likeness_of_strangers"]


def test_carried_on_by_a_model_is_measured(
    home: Home, server: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = told(capsys, "compare", "--shoppers", "10")
    assert figures["generator"].startswith("openai:m")
    assert 0 < figures["category_coverage"] <= 1


def test_the_state_lies_in_the_home(home: Home) -> None:
    assert state_of(load()).signatures("user")
    assert (home.path / "profiles" / "state.db").is_file()
