"""`tailor features`, and the online store of a release."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.errors import StoreError
from features.lookup import Known, Outcome
from features.push import Purchase, Pushed
from recsys.artifacts import ArtifactStore
from recsys.cli import main
from recsys.cli.output import errors, out
from recsys.errors import StageError
from recsys.listing import shopper_lists
from recsys.online import lookup_of, pusher_of, repo_of
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.observer import Silent
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.data import store
from recsys.published import Published
from recsys.settings import load, show
from tests.conftest import Home
from tests.features.shop import day

ONLINE = {
    "user_purchase_stats", "user_history", "user_embedding", "user_collaborative", "item_stats",
    "item_embedding", "user_profile",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_consoles() -> None:
    out.cache_clear()
    errors.cache_clear()


def tailor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def filled(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    """A copied home lies elsewhere: its definitions are applied again."""
    for link in (home.path / "feast" / "offline").iterdir():
        target = Path(str(link.readlink()).replace(str(home.result.home), str(home.path)))
        link.unlink()
        link.symlink_to(target)
    assert tailor(capsys, "features", "apply")[0] == 0


def test_status_tells_of_each_view_how_fresh_it_is(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(capsys, home)
    code, said, _ = tailor(capsys, "features", "status", "--json")
    told = json.loads(said)
    views = {view["view"]: view for view in told["views"]}
    assert code == 0
    assert told["online"].endswith("online_entities.sqlite")
    assert {name for name, view in views.items() if view["online_until"]} == ONLINE
    history = views["user_history"]
    assert (history["rows"], history["stale"], history["age_days"]) == (150, False, 0)
    assert history["max_age_days"] == 7
    assert views["user_profile"]["max_age_days"] == 365
    code, said, _ = tailor(capsys, "features", "status")
    assert code == 0
    assert "user_collaborative" in said


def test_stale_views_are_pointed_out(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(capsys, home)
    monkeypatch.setenv("TAILOR_FEATURES__STORE__CLOCK", "wall")
    monkeypatch.setenv("TAILOR_FEATURES__STORE__MAX_AGE__USER_HISTORY", "100000")
    code, _, complaint = tailor(capsys, "features", "status")
    assert code == 0
    assert "stale user_embedding" in complaint
    assert "stale user_history" not in complaint


def test_an_interval_that_is_online_already_is_not_written_again(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(capsys, home)
    words = ("features", "materialize", "--start", "2000-01-01", "--end", "2100-01-01", "--json")
    code, said, _ = tailor(capsys, *words)
    done = json.loads(said)
    assert (code, done["written"], set(done["views"])) == (0, 0, ONLINE)
    repo_of(load()).erase(some_shopper())
    _, said, _ = tailor(capsys, *words, "--view", "user_history")
    assert json.loads(said)["written"] == 1


def some_shopper() -> str:
    return next(shopper_lists(Published.open(load()).artifacts["lists"].path)).user_id


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("status",), "never applied"),
        (("apply",), "no features yet"),
        (("materialize", "--start", "2024-01-01", "--end", "2024-01-02"), "never applied"),
        (("materialize", "--start", "2024-01-02", "--end", "2024-01-01"), "is after"),
        (("training-set", "--labels", "labels.csv"), "never applied"),
    ],
)
def test_without_features_each_command_says_what_to_do(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, said, told = tailor(capsys, "features", *words)
    assert (code, said) == (1, "")
    assert complaint in told
    assert "Traceback" not in told
    assert not (tmp_path / "home" / "feast").exists()


def test_a_moment_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["features", "materialize", "--start", "yesterday", "--end", "2024-01-01"])
    assert ended.value.code == 2
    assert "'yesterday' is not a moment" in capsys.readouterr().err


def test_an_unknown_view_is_named(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--start", "2024-01-01", "--end", "2024-01-02", "--view", "user_shoes")
    code, _, told = tailor(capsys, "features", "materialize", *words)
    assert code == 1
    assert "no such view: user_shoes" in told


@pytest.mark.spark
def test_a_training_set_of_the_demo(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    filled(capsys, home)
    user, moment = some_shopper(), Published.open(load()).release.data_cut
    labels = home.path / "labels.csv"
    labels.write_text(f"user_id,item_id,event_timestamp\n{user},nothing,{moment}\n")
    code, said, _ = tailor(capsys, "features", "training-set", "--labels", str(labels))
    assert code == 0
    assert "1 rows in" in said
    (row,) = pq.read_table(home.path / "training" / "labels.parquet").to_pylist()
    assert row["user_purchase_stats__purchases"] >= 1
    assert row["item_stats__purchases"] is None


def test_a_purchase_is_seen_by_the_next_look_up_of_the_release(home: Home) -> None:
    settings, published = load(), Published.open(load())
    lookup = lookup_of(settings, published.release, published.artifacts)
    push = pusher_of(settings, published.artifacts)
    user = some_shopper()
    (before,) = lookup.lookup([user])
    assert before.views["user_collaborative"].outcome is Outcome.FRESH
    item = pq.read_table(published.artifacts["embeddings"].path / "item_ids.parquet")["item_id"][0]
    one = Purchase(user, item.as_py(), lookup.clock() + timedelta(hours=1))
    assert push.push(one) is Pushed.APPLIED
    (after,) = lookup.lookup([user])
    assert after.values("user_history")["item_ids"][-1] == one.item_id
    for view in ("user_embedding", "user_collaborative"):
        moved = np.array(after.values(view)["embedding"]) - before.values(view)["embedding"]
        assert np.abs(moved).max() > 0
        assert after.values(view)["encoder"] == before.values(view)["encoder"]


def test_pushing_nothing_new_gives_the_embeddings_of_the_batch(home: Home) -> None:
    """Her history embedded again is what was materialised, bit by bit."""
    settings, published = load(), Published.open(load())
    (row,) = lookup_of(settings, published.release, published.artifacts).lookup([some_shopper()])
    history = row.values("user_history")
    for made in pusher_of(settings, published.artifacts).embeddings:
        again = made.of(history["item_ids"], history["item_times"])
        assert again.tolist() == row.values(made.view)["embedding"]


def test_embeddings_of_another_index_are_refused(home: Home) -> None:
    published, user = Published.open(load()), some_shopper()
    card = published.artifacts["index"].path / "serve" / "links" / "collaborative.json"
    card.write_text(card.read_text().replace("links-", "others-"))
    lookup = lookup_of(load(), published.release, published.artifacts)
    (row,) = lookup.lookup([user])
    assert row.views["user_collaborative"].outcome is Outcome.REFUSED
    assert row.found is Known.PARTLY


def test_by_leave_one_out_there_is_nothing_to_serve(home: Home, tmp_path: Path) -> None:
    artifacts = dict(home.result.artifacts)
    context = Context(load(), ArtifactStore(tmp_path / "new"), Silent(), inputs=artifacts)
    folder = tmp_path / "features"
    folder.mkdir()
    moment = day("2024-03-01")
    RunMoments(*[moment] * 5, protocol="leave-one-out").write(folder)
    context.inputs["features"] = type(artifacts["features"])(
        **{**vars(artifacts["features"]), "path": folder}
    )
    with pytest.raises(StageError, match=r"nothing to serve at.*tailor evaluate ranking"):
        store(context, None)  # type: ignore[arg-type]
    assert not (tmp_path / "new" / "feast").exists()


def test_passwords_of_the_stores_are_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://tailor:s3cret@127.0.0.1:1/features"
    monkeypatch.setenv("TAILOR_FEATURES__STORE__ONLINE", "postgres")
    monkeypatch.setenv("TAILOR_FEATURES__STORE__CONNECTION", url)
    monkeypatch.setenv("TAILOR_FEATURES__STORE__REGISTRY", url)
    assert "s3cret" not in str(show(load()))
    for words in (("config", "show"), ("config", "show", "--json"), ("features", "status")):
        _, said, told = tailor(capsys, *words)
        assert "s3cret" not in said + told
    with pytest.raises(StoreError) as failed:
        repo_of(load()).apply(tmp_path)
    assert "s3cret" not in str(failed.value)
    assert "127.0.0.1" in str(failed.value)
