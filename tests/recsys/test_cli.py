"""The commands as a person meets them: exit codes, what is printed, and where."""

import json
import shutil
from pathlib import Path

import pytest

from recsys.cli import main
from recsys.cli.output import errors, out
from recsys.listing import shopper_lists
from recsys.published import Published
from recsys.settings import load
from tests.conftest import Home


@pytest.fixture(autouse=True)
def _fresh_consoles() -> None:
    out.cache_clear()
    errors.cache_clear()


def tailor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def shopper() -> str:
    return next(shopper_lists(Published.open(load()).artifacts["lists"].path)).user_id


def test_config_show_tells_values_and_sources(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_LISTS__LENGTH", "7")
    code, said, _ = tailor(capsys, "config", "show", "--json")
    shown = json.loads(said)
    assert code == 0
    assert shown["lists.length"] == {"value": 7, "source": "TAILOR_LISTS__LENGTH"}
    assert shown["seed"]["source"] == "default"


def test_an_unknown_setting_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_LISTS__LENGHT", "7")
    code, said, complaint = tailor(capsys, "config", "show")
    assert (code, said) == (1, "")
    assert "did you mean 'lists.length'" in complaint
    assert "Traceback" not in complaint


def test_nothing_published_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, complaint = tailor(capsys, "recommend", "someone")
    assert code == 1
    assert "nothing has been published yet" in complaint
    assert "tailor run" in complaint


def test_reviews_without_items_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, complaint = tailor(capsys, "run", "--reviews", "file")
    assert code == 1
    assert "together" in complaint


def test_an_unknown_stage_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, complaint = tailor(capsys, "run", "--from", "features ")
    assert code == 1
    assert "ingest, features, embeddings" in complaint


def test_going_on_from_a_stage_needs_the_ones_before(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, complaint = tailor(capsys, "run", "--from", "ranker")
    assert code == 1
    assert "stage 'ingest' has not run yet" in complaint


def test_a_sample_is_written_and_described(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    words = ("sample", "--users", "50", "--items", "60", "--out", str(folder), "--json")
    code, said, _ = tailor(capsys, *words)
    assert code == 0
    assert json.loads(said)["users"] == 50
    assert {"reviews.jsonl.gz", "items.jsonl.gz", "truth.json"} <= {
        p.name for p in folder.iterdir()
    }


@pytest.mark.spark
def test_ingest_counts_what_came_in(published: Home, capsys: pytest.CaptureFixture[str]) -> None:
    truth = json.loads((published.shop / "truth.json").read_text())
    words = (
        "ingest", "--json",
        "--reviews", str(published.shop / "reviews.jsonl.gz"),
        "--items", str(published.shop / "items.jsonl.gz"),
    )  # fmt: skip
    code, said, _ = tailor(capsys, *words)
    counts = json.loads(said)
    planted = [row["reason"] for row in truth["bad_rows"] if row["file"] == "reviews.jsonl.gz"]
    assert code == 0
    assert counts["quarantined"]["purchases"] == {why: planted.count(why) for why in planted}
    assert counts["users"] == 150
    assert Path(counts["tables"], "purchases").is_dir()


@pytest.mark.spark
def test_too_many_bad_rows_stop_before_anything_is_published(
    published: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_FEATURES__INGEST__MAX_BAD_SHARE", "0.001")
    words = (
        "ingest",
        "--reviews", str(published.shop / "reviews.jsonl.gz"),
        "--items", str(published.shop / "items.jsonl.gz"),
    )  # fmt: skip
    code, _, complaint = tailor(capsys, *words)
    home = load().home
    assert code == 1
    assert "max_bad_share" in complaint
    assert not (home / "tables" / "current").exists()
    assert list((home / "quarantine").glob("*/*.parquet"))


def test_a_torn_raw_file_is_named(
    published: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes((published.shop / "reviews.jsonl.gz").read_bytes()[:-100])
    items = str(published.shop / "items.jsonl.gz")
    code, _, complaint = tailor(capsys, "ingest", "--reviews", str(torn), "--items", items)
    assert code == 1
    assert str(torn) in complaint


def test_recommend_reads_the_published_list(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    user = shopper()
    code, said, _ = tailor(capsys, "recommend", user, "--json")
    answer = json.loads(said)
    assert code == 0
    assert answer["release"] == home.result.release
    assert [item["rank"] for item in answer["items"]] == list(range(1, 11))
    assert all(item["reason"] for item in answer["items"])
    assert answer["rung"] in {"adapted_lm", "ranker"}


def test_a_stranger_gets_what_is_popular_and_is_told_so(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = tailor(capsys, "recommend", "[bold]nobody", "--json")
    answer = json.loads(said)
    assert code == 0
    assert (answer["rung"], answer["why"]) == ("popular", "unknown shopper")
    assert answer["items"]


def test_lists_are_read_from_the_release_when_the_database_is_gone(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    user = shopper()
    _, before, _ = tailor(capsys, "recommend", user, "--json")
    for file in home.path.glob("results.db*"):
        file.unlink()
    _, after, _ = tailor(capsys, "recommend", user, "--json")
    assert json.loads(before)["items"] == json.loads(after)["items"]


def test_explain_tells_what_made_the_score_of_a_listed_item(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    user = shopper()
    item = json.loads(tailor(capsys, "recommend", user, "--json")[1])["items"][0]["item_id"]
    code, said, _ = tailor(capsys, "explain", user, item, "--json")
    told = json.loads(said)
    assert code == 0
    assert (told["user"], told["item"]) == (user, item)
    assert told["release"] == home.result.release
    assert told["rank"] <= 5, "the language model reorders no more than the head of the list"
    adds = sum(one["contribution"] for one in told["contributions"])
    assert told["base"] + adds == pytest.approx(told["score"], abs=1e-4)
    assert any(one["because"] for one in told["sources"])


@pytest.mark.usefixtures("home")
def test_explain_names_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    user = shopper()
    item = json.loads(tailor(capsys, "recommend", user, "--json")[1])["items"][0]["item_id"]
    for words, complaint in (
        ((user, "no-such-item"), "no item 'no-such-item'"),
        (("nobody", item), "no purchase of shopper 'nobody'"),
    ):
        code, said, told = tailor(capsys, "explain", *words)
        assert (code, said) == (1, "")
        assert complaint in told


def test_lookup_shows_features_with_their_ages(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = tailor(capsys, "lookup", shopper(), "--json")
    views = json.loads(said)["views"]
    assert code == 0
    assert views["user_purchase_stats"]["outcome"] == "fresh"
    assert views["user_purchase_stats"]["values"]["purchases"] >= 1
    assert views["user_recommendations"]["values"]["release"] == home.result.release


def test_lookup_against_the_wall_clock_calls_old_rows_stale(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = shopper()
    monkeypatch.setenv("TAILOR_FEATURES__STORE__CLOCK", "wall")
    code, said, _ = tailor(capsys, "lookup", user, "--json")
    view = json.loads(said)["views"]["user_purchase_stats"]
    assert code == 1
    assert (view["outcome"], view["values"]) == ("stale", {})


def test_an_unchanged_run_skips_every_stage(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "run", "--json",
        "--reviews", str(home.shop / "reviews.jsonl.gz"),
        "--items", str(home.shop / "items.jsonl.gz"),
    )  # fmt: skip
    main(list(words))  # the copied home lies elsewhere: its online store is filled again
    capsys.readouterr()
    code, said, _ = tailor(capsys, *words)
    done = json.loads(said)
    assert code == 0
    assert done["release"] == home.result.release
    assert done["skipped"] == [
        "ingest", "features", "embeddings", "quality", "index", "ranker", "profiles", "store", "lm",
        "hypernet", "blend", "decision", "lists", "preference", "report", "publish",
    ]  # fmt: skip


def test_another_setting_runs_only_what_depends_on_it(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_LISTS__LENGTH", "5")
    code, said, _ = tailor(capsys, "run", "--from", "index", "--json")
    done = json.loads(said)
    assert code == 0
    assert {"ranker", "lm", "hypernet", "blend"} <= set(done["skipped"])
    assert not {"lists", "publish"} & set(done["skipped"])
    _, said, _ = tailor(capsys, "recommend", shopper(), "--json")
    assert len(json.loads(said)["items"]) == 5

    code, said, _ = tailor(capsys, "release", "rollback", "--json")
    assert json.loads(said) == {"was": done["release"], "live": home.result.release}
    _, said, _ = tailor(capsys, "recommend", shopper(), "--json")
    assert len(json.loads(said)["items"]) == 10

    _, said, _ = tailor(capsys, "run", "--from", "index", "--json")
    assert "publish" in json.loads(said)["skipped"], "a run does not undo a rollback"

    tailor(capsys, "release", "rollback", done["release"])
    ranker = Path(done["artifacts"]["lists"]) / "lists.parquet"
    ranker.write_bytes(ranker.read_bytes()[:-1])
    code, said, complaint = tailor(capsys, "recommend", shopper(), "--json")
    assert code == 0
    assert json.loads(said)["release"] == home.result.release
    assert "file torn" in complaint


def test_release_list_and_show(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    _, said, _ = tailor(capsys, "release", "list", "--json")
    assert json.loads(said) == [{"release": home.result.release, "state": "live"}]
    code, said, _ = tailor(capsys, "release", "show", "--json")
    shown = json.loads(said)
    assert code == 0
    assert shown["state"] == "live"
    assert set(shown["lineage"]) == set(home.result.artifacts)


def test_a_damaged_release_is_shown_as_refused(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    version = home.result.artifacts["ranker"].version
    shutil.rmtree(home.path / "artifacts" / "ranker" / version)
    code, said, _ = tailor(capsys, "release", "list", "--json")
    assert code == 0
    assert json.loads(said)[0]["state"].startswith("refused")


def test_the_database_is_as_the_mappings_say(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tailor(capsys, "db", "upgrade")[0] == 0
    assert tailor(capsys, "db", "check")[0] == 0


def test_doctor_finds_this_environment_fit(capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = tailor(capsys, "doctor")
    assert code == 0
    assert "pyspark" in said
    assert "no conflicting packages" in said


@pytest.mark.spark
def test_going_back_to_earlier_inputs_publishes_them_again(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def length_served(length: int) -> int:
        monkeypatch.setenv("TAILOR_LISTS__LENGTH", str(length))
        tailor(capsys, "run", "--from", "index")
        _, said, _ = tailor(capsys, "recommend", shopper(), "--json")
        return len(json.loads(said)["items"])

    # the same lineages come and go: each time what was asked for last is what serves
    assert [length_served(n) for n in (5, 10, 5, 10)] == [5, 10, 5, 10]
    assert len(list((home.path / "releases").glob("*.json"))) == 5
