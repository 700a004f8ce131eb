"""The report: says what the numbers say, runs nothing, needs nothing, and is the same each time."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from recsys.evaluation import harness
from recsys.evaluation.slices import standard_slices
from recsys.report import formats
from recsys.report.build import build
from recsys.report.missing import missing
from recsys.report.verdict import verdict
from tests.recsys import report_world

NASTY = "<script>alert(1)</script>"
USERS, ITEMS = 600, 80


def evaluation(best="P2P-adapted LLM"):
    rng = np.random.default_rng(0)
    targets = rng.integers(ITEMS, size=USERS).astype(np.int32)
    lists = {"popular": np.tile(np.arange(10, dtype=np.int32), (USERS, 1))}
    for name, share in (("retrieval", 0.1), ("ranker", 0.25), (best, 0.32)):
        lists[name] = rng.permuted(np.tile(np.arange(ITEMS), (USERS, 1)), axis=1)[:, :10]
        lists[name] = lists[name].astype(np.int32)
        lucky = rng.random(USERS) < share
        lists[name][lucky, 2] = targets[lucky]
    result = harness.evaluate(
        lists,
        targets,
        popularity=np.arange(ITEMS)[::-1],
        n_items=ITEMS,
        seed=0,
        seconds_score=dict.fromkeys(lists, 1.25),
        seconds_fit={"ranker": 61.5},
        slices=standard_slices(
            rng.integers(1, 30, USERS),
            targets,
            np.arange(ITEMS)[::-1],
            [("Beauty", f"Kind {n % 7}") for n in range(ITEMS)],
            tie_safe=rng.random(USERS) < 0.5,
        ),
        headline=best,
    )
    steps = {"candidates": lists["ranker"], "ranker": lists["ranker"][:, :5]}
    return result | {"funnel": harness.funnel(steps, targets)}, targets


def leaks(*found):
    rows = [{"order": "item id, first", "hr": 0.12, "upper": 0.16, "at_chance": True}]
    rows += [{"order": name, "hr": 0.5, "upper": 0.16, "at_chance": False} for name in found]
    return {"k": 10, "orders": rows, "passed": not found}


def run(**more):
    return {
        "release": "2014-06-01-a1b2c3",
        "created_at": "2026-01-02T03:04:05+00:00",
        "cut": {"train": "2014-01-01", "eval": "2014-04-01", "serve": "2014-06-01"},
        "rows_read": {"purchases": 198_502, "items": 259_204},
        "quarantined": [{"table": "items", "reason": "no item id", "rows": 17}],
        "leak": leaks(),
        "reproduce": ["tailor run --seed 0"],
        "lineage": {"encoder": "all-MiniLM-L6-v2@1"},
    } | more


def shopper(title="Lavender soap"):
    return {
        "user_id": "A1",
        "history": [{"title": title, "when": "2014-03-01"}],
        "items": [{"title": title, "reason": "goes with Lavender oil", "bought": True}],
        "rung": "ranker",
        "why": "model down",
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    measured, _ = evaluation()
    build(measured, run(), [shopper()] * 3, out, report_world.more())
    return out


class Page(HTMLParser):
    """Tags and attributes in the order they come, and unclosed tags."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_says_what_was_measured(made):
    text = (made / "report.html").read_text()
    for words in (
        "Ship: better than the live release",
        "better than popularity",
        "2014-06-01-a1b2c3",
        "2014-04-01",
        "198,502",
        "no item id",
        "P2P-adapted LLM",
        "10 or more",
        "goes with Lavender oil",
        "model down",
        "tailor run --seed 0",
        "No order, and nothing dated after the targets, finds them",
        "61.5 s to fit",
        "the adapted model does harm",
        "same-category",
        "another shopper&#39;s",
        "without the adapted model",
        "▼ 2.0",  # days: staler than it may be
        "0.0013",
        "r4",
    ):
        assert words in text


def test_the_json_holds_the_same_numbers(made):
    measured, _ = evaluation()
    content = json.loads((made / "report.json").read_text())
    assert content["evaluation"] == json.loads(json.dumps(measured))
    assert content["run"] == run()
    assert content["verdict"]["kind"] == "better"
    shown = formats.number(measured["methods"]["ranker"]["ndcg@10"])
    assert shown in (made / "report.html").read_text()


def test_the_page_is_whole_and_stands_alone(made):
    page = Page((made / "report.html").read_text())
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert page.tags.count("svg") >= 2
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    loads = [v for n, v in page.attributes if n in {"src", "href", "xlink:href"}]
    assert all(value.startswith("#") for value in loads)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_plots_wear_the_colours_of_the_page(made):
    text = (made / "report.html").read_text()
    assert "var(--accent)" in text
    assert not re.search(r"#0[1-5]0[1-5]0[1-5]", text)


def test_text_from_outside_is_text(tmp_path):
    measured, _ = evaluation(best=NASTY)
    nasty = run(
        release=NASTY,
        quarantined=[{"table": NASTY, "reason": NASTY, "rows": 1}],
        reproduce=[NASTY],
        lineage={NASTY: NASTY},
    )
    person = shopper(NASTY) | {"user_id": NASTY, "rung": NASTY, "why": NASTY}
    person["items"] = [{"title": "\"'><img src=x onerror=y>", "reason": NASTY}]
    person |= {"profile": NASTY, "target": NASTY, "candidates": {"n": 3, "place": 1}}
    person["others"] = {"ranker": {"place": None, "items": [{"title": NASTY, "reason": NASTY}]}}
    laws = report_world.preference()["laws"]
    laws[NASTY] = laws.pop("same-category") | {"told": NASTY}
    told = report_world.more(
        preference={"laws": laws},
        live=report_world.live(release=NASTY, how=NASTY),
        bias={"k": 10, "bought": {}, "methods": {}},
    )
    build(measured, nasty, [person], tmp_path, told)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert "&lt;script&gt;" in text
    assert page.open == []


def test_method_names_are_not_mathematics(tmp_path):
    measured, _ = evaluation(best=r"a $\alpha$ & b_1^2 $")
    build(measured, run(), [], tmp_path)
    assert r"$\alpha$ &amp; b_1^2 $" in (tmp_path / "report.html").read_text()


def test_the_same_input_gives_the_same_bytes(made, tmp_path):
    measured, _ = evaluation()
    build(measured, run(), [shopper()] * 3, tmp_path, report_world.more())
    for name in ("report.html", "report.json"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_a_bare_run_makes_a_report_too_and_says_what_it_lacks(tmp_path):
    measured, _ = evaluation()
    del measured["slices"], measured["funnel"]
    build(measured, {"release": "r"}, [], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert Page(text).open == []
    said = json.loads((tmp_path / "report.json").read_text())["missing"]
    assert {"slices", "funnel", "leak", "preference", "decision", "drift", "trend"} <= set(said)
    for heading in ("For whom, and for what", "Leak probe", "Calibration", "Position bias"):
        section = text[text.index(f"<h2>{heading}</h2>") :]
        assert 'class="missing"' in section[: section.index("</section>")]


def test_a_whole_release_lacks_nothing():
    measured, _ = evaluation()
    content = {
        "evaluation": measured, "run": run(), "examples": [shopper()], "more": report_world.more()
    }  # fmt: skip
    assert missing(content) == {}


def test_a_release_of_one_embedding_source_says_so(tmp_path):
    measured, _ = evaluation()
    more = report_world.more()
    del more["ablations"]["proof"]["alone"]
    build(measured, run(), [shopper()] * 3, tmp_path, more)
    said = json.loads((tmp_path / "report.json").read_text())["missing"]
    assert set(said) == {"adapter_embedding"}
    assert "personalizer.hypernet.embedding" in (tmp_path / "report.html").read_text()


def test_what_the_preference_task_left_out_is_a_line_not_an_error(tmp_path):
    measured, _ = evaluation()
    laws = report_world.preference()["laws"]
    only = {"preference": {"laws": {"uniform": laws["uniform"]}}}
    build(measured, run(), [], tmp_path, only)
    said = json.loads((tmp_path / "report.json").read_text())["missing"]
    assert said["calibration"] == said["positions"] == "the preference task kept none"
    assert "preference" not in said
    assert "No blind guesser was tried" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("live", "ship", "words"),
    [
        (report_world.live(), True, "Ship: better than the live release."),
        (report_world.live(0, -0.004, 0.004), True, "Ship: no worse than the live release"),
        (report_world.live(-0.001, -0.004, -0.0005), True, "by less than what matters"),
        (report_world.live(0.001, -0.006, 0.008), False, "Do not ship: it may be worse"),
        (report_world.live(-0.02, -0.03, -0.01), False, "Do not ship: worse than the live"),
        (report_world.live(why="torn"), False, "Do not ship: the live release can't be compared"),
        (None, True, "Ship: personalised lists predict the next purchase better than popularity"),
    ],
)
def test_what_is_said_beforehand_to_matter_decides(live, ship, words):
    measured, _ = evaluation()
    found = verdict(measured, report_world.more(live=live), run())
    assert (found.ship, words in found.text) == (ship, True), found.text


@pytest.mark.parametrize(
    ("more", "about", "words"),
    [
        ({}, {"leak": leaks("row share")}, "the leak probe finds the targets"),
        ({"ablations": report_world.ablations(proved=False)}, {}, "not proved to be personal"),
        ({"drift": report_world.drift("price")}, {}, "1 checks of the features"),
    ],
)
def test_one_failed_check_keeps_a_better_release_back(more, about, words):
    measured, _ = evaluation()
    found = verdict(measured, report_world.more(**more), run(**about))
    assert not found.ship
    assert words in found.text
    assert sum(not check.passed for check in found.checks) == 1


def test_a_model_without_weight_needs_no_proof():
    measured, _ = evaluation()
    told = report_world.more(ablations=report_world.ablations(weight=0, proved=False))
    assert verdict(measured, told, run()).ship


def test_an_accuracy_worse_than_popularity_is_never_shipped():
    measured, _ = evaluation()
    measured["methods"]["P2P-adapted LLM"]["against_popular"]["ci"] = [-0.02, -0.01]
    found = verdict(measured, report_world.more(), run())
    assert found.text.startswith("Do not ship: personalised lists predict the next purchase worse")


def test_a_leak_is_not_whispered(tmp_path):
    measured, _ = evaluation()
    build(measured, run(leak=leaks("row share in item id")), [], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "Do not trust the numbers" in text
    row = text[text.index("row share in item id") :]
    assert "▼ leak" in row[: row.index("</tr>")]


def test_a_slice_that_is_not_helped_is_named(tmp_path):
    measured, _ = evaluation()
    slices = measured["methods"]["P2P-adapted LLM"]["slices"]
    slices["cold"]["against_popular"]["ci"] = [-1, 1]
    build(measured, run(), [], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "not shown to help here: Cold (0 to 2 purchases)" in text


def test_where_personalisation_hurts_stands_out(tmp_path):
    measured, _ = evaluation()
    slices = measured["methods"]["P2P-adapted LLM"]["slices"]
    slices["cold"]["against_popular"]["ci"] = [-0.2, -0.1]
    build(measured, run(), [], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "<strong>Personalisation hurts here: Cold (0 to 2 purchases).</strong>" in text


def test_every_slice_is_a_row_and_every_cell_says_what_it_is(made):
    text = (made / "report.html").read_text()
    section = text[text.index("For whom, and for what</h2>") :]
    table = section[: section.index("</table>")]
    names = ("Tie-safe", "Cold", "Head items", "Category: Kind 0")
    assert [table.index(name) for name in names] == sorted(table.index(name) for name in names)
    everywhere = json.loads((made / "report.json").read_text())["evaluation"]["slices"]
    assert everywhere["category: Kind 0"]["label"] == "target in Kind 0"
    assert table.count('<th scope="row">') == len(everywhere)
    for stack in re.findall(r'<table class="stack.*?</table>', text, re.DOTALL):
        cells = re.findall(r"<td[^>]*>", stack)
        assert all("data-label=" in cell or "empty" in cell for cell in cells)


@pytest.mark.parametrize(
    ("bounds", "kind"), [([0.01, 0.02], "better"), ([-0.02, -0.01], "worse"), ([-0.1, 0.1], "even")]
)
def test_the_verdict_claims_what_the_interval_does(bounds, kind):
    measured, _ = evaluation()
    measured["methods"]["P2P-adapted LLM"]["against_popular"]["ci"] = bounds
    assert verdict(measured).kind == kind


def test_numbers_as_people_read_them():
    assert formats.signed(-0.00312) == "\u22120.0031"
    assert formats.percent(0.0625) == "6.2\u202f%"
    assert formats.count(1234567) == "1,234,567"
    assert formats.number(None) == "\u2013"
    assert formats.moment("2014-04-01T00:00:00+00:00") == "2014-04-01"
    assert formats.moment("2014-04-01T06:30:00+02:00") == "2014-04-01 04:30 UTC"
