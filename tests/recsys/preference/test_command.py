"""`tailor evaluate preference` and `tailor preference build`, from raw files to figures."""

import json

import pyarrow.parquet as pq
import pytest

from recsys.cli import main
from recsys.cli.output import errors, out
from recsys.tables import read_table
from tests import tiny

FIGURES = {"accuracy", "ci", "guess_credited", "abstained", "ece", "seconds"}
FEW = {
    "TAILOR_REPORT__PREFERENCE__LEAST_CATEGORIES": "2",
    "TAILOR_REPORT__PREFERENCE__CATEGORY_LEVEL": "2",
}


@pytest.fixture(autouse=True)
def _fresh_consoles():
    out.cache_clear()
    errors.cache_clear()


@pytest.fixture
def words(tmp_path, monkeypatch):
    raw = tiny.shop(tmp_path / "raw", seed=1)
    for name, value in (tiny.ENVIRONMENT | FEW).items():
        monkeypatch.setenv(name, value)
    return ["--reviews", str(raw.reviews[0]), "--items", str(raw.items[0])]


@pytest.mark.spark
def test_from_raw_files_to_figures_and_questions(spark, capsys, words, tmp_path):
    home, figures = tmp_path / "kept", tmp_path / "out" / "figures.json"
    words = [*words, "--law", "same-category", "--keep", str(home)]
    assert main(["evaluate", "preference", *words, "--json", str(figures)]) == 0
    told = json.loads(figures.read_text())
    assert told["law"] == "same-category"
    assert told["category_level"] == 2
    assert told["n"] > 20
    assert {"tailor", "p2p", "base", "ranker", "popularity", "bm25"} <= set(told["methods"])
    assert all(set(method) >= FIGURES for method in told["methods"].values())
    assert set(told["paired"]) == set(told["methods"]) - {"tailor"}
    assert {"tailor_without_model", "tailor_shuffled_profile"} <= set(told["ablations"])
    assert told["failed"] == {}
    assert told["probes"]["chance"] == 0.25
    _hidden(home)
    said = capsys.readouterr()
    assert "Which of 4 products" in said.out

    built = tmp_path / "built"
    words += ["--out", str(built), "--json", "--options", "6"]
    assert main(["preference", "build", *words]) == 0
    manifest = json.loads(capsys.readouterr().out)
    questions = pq.read_table(built / "questions.parquet").to_pylist()
    assert len(questions) == sum(manifest["n"].values())
    for row in questions:
        assert len(set(row["option_ids"])) == 6
        assert row["option_ids"][row["right"]] == row["answer_id"]
        assert not set(row["context_ids"]) & set(row["option_ids"])
    assert manifest["files"]["questions.parquet"]["sha256"]


def _hidden(home):
    """No answer of anybody stands in what everything was learned from."""
    tables = home / "tables" / "current"
    pairs = {
        (row["user_id"], row["item_id"]) for row in read_table(tables / "purchases").to_pylist()
    }
    answers = read_table(tables / "answers").to_pylist()
    assert len(answers) > 20
    assert not pairs & {(row["user_id"], row["item_id"]) for row in answers}
    histories = read_table(home / "features" / "current" / "serve" / "user_history").to_pylist()
    bought = {row["user_id"]: set(row["item_ids"]) for row in histories}
    assert not any(row["item_id"] in bought.get(row["user_id"], ()) for row in answers)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--law", "unfair"), "no distractor law"),
        (("--law", "uniform", "--category-level", "trunk"), "category_level"),
        (("--law", "uniform", "--methods", "oracle"), "unknown scorer"),
    ],
)
def test_what_can_not_be_done_is_told_before_any_work(capsys, words, more, complaint):
    assert main(["evaluate", "preference", *words, *more]) == 1
    assert complaint in capsys.readouterr().err
