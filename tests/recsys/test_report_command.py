"""`tailor report`, what it compares with, and what changed between two releases."""

import json

import pytest

from recsys.artifacts import ArtifactStore, Releases
from recsys.cli import main
from recsys.decision import Decision
from recsys.pipeline import champion
from recsys.pipeline.run import run
from recsys.pipeline.stages import STAGES
from recsys.settings import load
from tests.conftest import Home


def said(capsys, *words):
    assert main(list(words)) == 0
    return capsys.readouterr().out


def test_the_page_of_the_live_release_is_written_under_its_name(home: Home, capsys, tmp_path):
    told = json.loads(said(capsys, "report", "--json"))
    release = home.result.release
    assert told["release"] == release
    assert told["page"] == str(home.path / "reports" / f"{release}.html")
    assert isinstance(told["ship"], bool)
    page = (home.path / "reports" / f"{release}.html").read_text()
    assert f'<span class="id">{release}</span>' in page
    content = json.loads((home.path / "reports" / f"{release}.json").read_text())
    assert content["more"]["trend"][0]["release"] == release
    assert content["verdict"]["text"] == told["verdict"]
    out = said(capsys, "report", release, "--out", str(tmp_path / "a" / "mine.html"))
    assert told["verdict"].split(":")[0] in out
    assert (tmp_path / "a" / "mine.html").read_text() == page
    assert (tmp_path / "a" / "mine.json").exists()


def test_a_real_report_measures_nobody_who_decided(published: Home):
    folder = published.result.artifacts["report"].path
    content = json.loads((folder / "report.json").read_text())
    assert "who did are left out" in content["run"]["measured_on"]
    made = Decision.read(published.result.artifacts["decision"].path)
    assert content["more"]["decision"] == json.loads(json.dumps(made.document))
    assert {"popular", "persona", "retrieval", "ranker", "tailor"} <= set(
        content["evaluation"]["methods"]
    )
    assert {"cold", "ood"} & set(content["evaluation"]["slices"])
    assert any(name.startswith("persona: ") for name in content["evaluation"]["slices"])
    for section in ("bias", "ablations", "drift", "freshness", "costs", "settings"):
        assert content["more"][section]
    sources = content["more"]["ablations"]["embeddings"]
    steps = {step["step"]: step["recall"] for step in content["evaluation"]["funnel"]}
    assert sources["recall"] == steps["candidates"]
    assert set(sources["without"]) == {"text", "collaborative"}
    assert all(abs(told["lost"]) < sources["recall"] for told in sources["without"].values())
    assert {example["found"] for example in content["examples"]} == {True, False}
    assert all(example["profile"] for example in content["examples"])


def test_what_is_wrong_with_the_words_is_said(home: Home, capsys):
    for words in (["report", "nowhere"], ["report", "a", "b"], ["report", "diff", "a"]):
        assert main(words) == 1
        assert "error" in capsys.readouterr().err
    assert main(["report", "--out", str(home.path / "results.db" / "x.html")]) == 1
    assert "name another file" in capsys.readouterr().err


def test_a_release_differs_in_nothing_from_itself(home: Home, capsys):
    release = home.result.release
    told = json.loads(said(capsys, "report", "diff", release, release, "--json"))
    assert told["paired_shoppers"] == told["shoppers"][0] == told["shoppers"][1]
    assert all(one["paired"]["ci"] == [0, 0] for one in told["figures"])
    assert told["settings"] == told["lineage"] == told["decision"] == {}
    assert "nothing changed" in said(capsys, "report", "diff", release, release)


@pytest.mark.slow
def test_a_new_release_is_held_against_the_live_one(home: Home, capsys, monkeypatch):
    first = home.result.release
    monkeypatch.setenv("TAILOR_LISTS__LENGTH", "9")
    second = run(load(), start="lists")
    assert second.release != first
    content = json.loads((second.artifacts["report"].path / "report.json").read_text())
    live = content["more"]["live"]
    assert (live["release"], live["difference"], live["why"]) == (first, 0, "")
    assert live["how"] == "as it was measured on the same data"
    # again, over the same inputs: compared with the same, so there is nothing new to publish
    again = run(load(), start="lists")
    assert again.release == second.release
    assert "report" in again.skipped
    told = json.loads(said(capsys, "report", "diff", first, second.release, "--json"))
    assert told["settings"] == {"lists.length": [10, 9]}
    assert told["paired_shoppers"] == live["n"]
    assert set(told["lineage"]) == {"lists"}


def test_on_other_data_the_models_of_the_live_release_make_lists(home: Home, monkeypatch):
    from recsys.evaluation.case import Case
    from recsys.evaluation.metrics import ndcg
    from recsys.pipeline.observer import Silent
    from recsys.pipeline.stage import Context
    from recsys.pipeline.stages.lists import recommender_at

    store = ArtifactStore(home.path)
    _, artifacts = Releases(store).open(home.result.release)
    before = [stage.kind for stage in STAGES if stage.kind != "report"]
    inputs = {kind: artifacts[kind] for kind in before}
    context = Context(load(), store, Silent(), inputs=inputs)
    case = Case.of(inputs, "test")
    ours = recommender_at(context, "eval", case.catalogue).recommend(case.shoppers, 10)
    gains = ndcg(ours.items, case.targets, 10)
    monkeypatch.setattr(champion, "rival", lambda _: home.result.release)
    monkeypatch.setattr(champion, "read_gains", lambda _: None)
    found = champion.compare(context, case, gains, 10)
    assert found is not None
    assert (found.how, found.n) == ("its models on the data of now", len(case.shoppers))
    assert found.difference == 0
    monkeypatch.setattr(champion, "rival", lambda _: "")
    assert champion.compare(context, case, gains, 10) is None
    monkeypatch.setattr(champion, "rival", lambda _: "gone")
    missing = champion.compare(context, case, gains, 10)
    assert missing is not None
    assert "gone" in missing.why
