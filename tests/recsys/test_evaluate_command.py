"""`tailor evaluate ranking`: from raw files to figures beside published methods."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.cli import main
from recsys.cli.evaluate import show
from recsys.cli.output import errors, out
from recsys.errors import StageError
from recsys.evaluation import methods, ranking
from recsys.evaluation.baselines import ItemKnn, Popularity
from recsys.evaluation.baselines.base import Baseline
from recsys.evaluation.case import Case
from recsys.pipeline import parts
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.observer import Silent
from recsys.pipeline.run import RunResult
from recsys.pipeline.stage import RawFiles
from recsys.ranker import Labels, train, training_set
from recsys.recommend import Options, Recommender
from recsys.settings import RankerSettings, Settings
from tests import tiny
from tests.recsys.shop import AS_OF, make_shop, make_shoppers, stroll

RAW = RawFiles((), ())
METHOD = {"ndcg@10", "hr@10", "ndcg@10_ci", "recall@100", "seconds_fit", "seconds_score", "slices"}


@pytest.fixture(autouse=True)
def _fresh_consoles():
    out.cache_clear()
    errors.cache_clear()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def case(shop):
    """Everyone's next purchase; all but the first ten bought theirs on another day."""
    safe = np.arange(len(shop.shoppers)) >= 10
    known = make_shoppers(shop.catalogue, stroll(200, seed=3)[0] + stroll(80, seed=4)[0])
    names = [f"elder{n}" for n in range(200)] + list(shop.shoppers.user_ids)
    known = replace(known, user_ids=np.array(names, object))
    return Case(shop.catalogue, shop.shoppers, shop.targets, safe, known, AS_OF)


@pytest.fixture(scope="module")
def recommender(shop):
    users = np.arange(len(shop.shoppers))
    labels = Labels.of(users, shop.targets, np.zeros_like(users), len(users))
    how = {"size": 20, "mask_history": True}  # as the command asks for
    data = training_set(shop.shoppers, labels, shop.sources, shop.shelf, **how)
    ranker = train([data], RankerSettings(rounds=30, least_rows=5), seed=1)
    options = Options(pool=20, chunk=16, mask_history=True)
    return Recommender(shop.shelf, shop.sources, ranker, options=options)


def oracle(case):
    """A baseline that knows every target, or with `place` shows it that far down."""
    wanted = dict(zip(case.shoppers.user_ids, case.targets, strict=True))

    @dataclass(frozen=True, eq=False)
    class Oracle(Baseline):
        name = "oracle"

        @classmethod
        def fit(cls, known, catalogue, *, seed=0, progress=None):
            progress(1, 2)
            return cls()

        def scores(self, shoppers):
            scores = np.full((len(shoppers), len(case.catalogue)), -np.inf, np.float32)
            targets = [wanted[user] for user in shoppers.user_ids]
            scores[np.arange(len(shoppers)), targets] = 1
            return scores

    return Oracle


class Refuses(Popularity):
    name = "refuses"

    @classmethod
    def fit(cls, known, catalogue, *, seed=0, progress=None):
        raise StageError("too many items")


class Remembers(Silent):
    def __init__(self):
        self.told, self.bar = [], []

    def event(self, stage, event, detail=""):
        self.told.append(detail or event)

    def progress(self, stage, done, total):
        self.bar.append(done / total)


@pytest.fixture(scope="module")
def told():
    return Remembers()


@pytest.fixture(scope="module")
def made(case, recommender, told):
    kinds = [Popularity, oracle(case), Refuses, ItemKnn]
    return methods.make_lists(case, recommender, kinds, 0, told)


@pytest.fixture(scope="module")
def result(case, made):
    return ranking.measure(case, made, "temporal", "refreshed", seed=0)


# --- lists


def test_every_method_makes_lists_as_wide_as_are_measured(case, made, told):
    names = ["popularity", "oracle", "item_knn", "retrieval", "tailor"]
    assert list(made.lists) == names
    assert {lists.shape for lists in made.lists.values()} == {(len(case.shoppers), 200)}
    assert made.score.keys() == set(names)
    assert told.told == ["popularity", "oracle", "refuses", "item_knn", "retrieval", "tailor"]
    assert told.bar == sorted(told.bar)
    assert told.bar[-1] == 1


def test_nothing_bought_before_stands_in_any_list(case, made):
    for name, lists in made.lists.items():
        for row, items in enumerate(lists):
            assert not set(items) & set(case.shoppers.history(row)), name


def test_the_ranker_orders_the_pool_and_adds_nothing(made):
    pool, ranked = made.lists["retrieval"], made.lists["tailor"]
    np.testing.assert_array_equal(np.sort(pool, axis=1), np.sort(ranked, axis=1))
    assert (pool != ranked).any()


def test_a_baseline_that_fails_is_left_out_and_says_why(made):
    assert made.failed == {"refuses": "too many items"}


def test_lists_of_a_lower_rung_do_not_go_by_our_name(case, recommender):
    class Broken:
        def check(self, names):
            pass

        def predict(self, features):
            raise RuntimeError("torn model")

    broken = replace(recommender, ranker=Broken())
    with pytest.raises(StageError, match=r"method tailor: 80 of 80.*torn model"):
        methods.make_lists(case, broken, [], 0, Silent())


# --- figures


def test_what_knows_the_targets_is_perfect(result):
    perfect = result["methods"]["oracle"]
    assert (perfect["ndcg@10"], perfect["hr@10"], perfect["recall@100"]) == (1, 1, 1)
    assert perfect["ndcg@10_ci"] == [1, 1]


def test_the_two_stages_beat_what_is_popular(result):
    tailor = result["methods"]["tailor"]
    assert tailor["against_popular"]["ci"][0] > 0.1
    assert tailor["against"]["oracle"]["ndcg@10_diff"] == pytest.approx(tailor["ndcg@10"] - 1)
    assert tailor["against"].keys() == result["methods"].keys() - {"tailor"}


def test_the_contract_of_the_json(case, result):
    assert result.keys() >= {"protocol", "mode", "n_users", "n_items", "methods", "leak_probe"}
    assert (result["protocol"], result["mode"]) == ("temporal", None)
    assert (result["n_users"], result["n_items"]) == (80, 30)
    assert result["headline"] == "tailor"
    for method in result["methods"].values():
        assert method.keys() >= METHOD
        assert len(method["ndcg@10_ci"]) == 2
        assert method["slices"]["tie_safe"].keys() >= {"ndcg@10", "hr@10", "ndcg@10_ci"}
    assert result["slices"]["tie_safe"]["n_users"] == 70
    assert result["leak_probe"]["passed"]
    json.dumps(result, allow_nan=False)


def test_leave_one_out_has_a_mode_and_its_cold_are_a_slice(case, made):
    rows = np.arange(20)
    lengths = np.where(rows < 5, 2, 4)
    kept = np.concatenate([case.shoppers.history(row)[:n] for row, n in enumerate(lengths)])
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    some = replace(case.shoppers.take(rows), indptr=indptr, items=kept, times=np.zeros(len(kept)))
    few = replace(case, shoppers=some, targets=case.targets[:20], tie_safe=case.tie_safe[:20])
    lists = {name: each[:20] for name, each in made.lists.items()}
    result = ranking.measure(few, replace(made, lists=lists), "leave-one-out", "train-only", seed=0)
    assert (result["protocol"], result["mode"]) == ("leave-one-out", "train-only")
    assert result["methods"]["tailor"]["slices"]["cold"]["n_users"] == 5


def test_the_probe_sees_statistics_that_hold_the_targets(case, made):
    rows = [[*case.shoppers.history(row), target] for row, target in enumerate(case.targets)]
    known = make_shoppers(case.catalogue, [[case.catalogue.item_ids[i] for i in r] for r in rows])
    late = replace(case, known=replace(known, times=known.times + 86_400))
    probe = ranking.measure(late, made, "temporal", "refreshed", seed=0)["leak_probe"]
    found = {row["order"] for row in probe["orders"] if not row["at_chance"]}
    assert found >= {"known but not in the history"}


@pytest.fixture
def artifacts(case, tmp_path):
    """Just what is read from disk."""
    (tmp_path / "items").mkdir()
    pq.write_table(pa.table({"item_id": ["b", "a"]}), tmp_path / "items" / "part-0.parquet")
    RunMoments(AS_OF, AS_OF, AS_OF, AS_OF - timedelta(1), AS_OF, "temporal").write(tmp_path)
    return {kind: SimpleNamespace(path=tmp_path) for kind in ("tables", "features")}


def hand_over(monkeypatch, case, asked, first):
    """Let the parts give a case's shoppers and these targets."""
    wanted = SimpleNamespace(asked=asked, first=first, tie_safe=case.tie_safe)
    given = {
        "catalogue_of": lambda inputs: case.catalogue,
        "shoppers_at": lambda inputs, moment, catalogue: case.shoppers,
        "targets_at": lambda inputs, moment, shoppers, catalogue: wanted,
        "known_at": lambda inputs, moment, catalogue: case.known,
    }
    for name, give in given.items():
        monkeypatch.setattr(parts, name, give, raising=False)


def test_who_bought_something_afterwards_is_measured(monkeypatch, case, artifacts):
    asked, first = np.ones(80, bool), case.targets.copy()
    asked[[0, 7]] = False
    first[3] = -1  # of no item file: nobody can list it, and it stays
    hand_over(monkeypatch, case, asked, first)
    made = Case.of(artifacts, "evaluate")
    assert made.shoppers.user_ids.tolist() == [f"u{u}" for u in range(80) if u not in {0, 7}]
    np.testing.assert_array_equal(made.targets, first[asked])
    assert made.tie_safe.sum() == 70
    assert (made.cut, made.filed) == (AS_OF - timedelta(1), ["b", "a"])


def test_nobody_to_measure_is_told(monkeypatch, case, artifacts):
    hand_over(monkeypatch, case, np.zeros(80, bool), case.targets)
    with pytest.raises(StageError, match="no shopper with a history"):
        Case.of(artifacts, "evaluate")


# --- the command


@pytest.fixture
def runs(monkeypatch, case, recommender):
    """Stand in for the pipeline; keeps the settings of each run."""
    seen = []

    def run(settings, *, raw, until, observer):
        seen.append(settings)
        settings.home.mkdir(exist_ok=True)
        (settings.home / "made").touch()
        assert until == "ranker"
        return RunResult(settings.home, seconds={"ingest": 9.0, "index": 1.0, "ranker": 2.0})

    monkeypatch.setattr(ranking, "run", run)
    monkeypatch.setattr(Case, "of", lambda *_: case)
    monkeypatch.setattr(parts, "two_stage_at", lambda *_: recommender, raising=False)
    return seen


def tailor(capsys, *words):
    command = ["evaluate", "ranking", "--reviews", "r", "--items", "i", *words]
    code = main(command)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_home_is_its_own_and_gone_at_the_end(runs, tmp_path):
    mine = Settings(home=tmp_path / "mine", results={"url": "postgresql://shop"})
    result = ranking.evaluate_ranking(
        RAW, mine, protocol="leave-one-out", mode="train-only", baselines=["item_knn"]
    )
    (used,) = runs
    assert used.home != mine.home
    assert not used.home.exists()
    assert not used.results.url.get_secret_value()
    assert (used.cuts.protocol, used.cuts.mode) == ("leave-one-out", "train-only")
    assert result["methods"]["tailor"]["seconds_fit"] == 3
    assert result["methods"]["retrieval"]["seconds_fit"] == 1
    assert result["seconds"]["ingest"] == 9
    assert result["peak_mib"] > 0
    assert result["settings"]["cuts.protocol"] == "leave-one-out"


def test_the_home_stays_where_it_is_asked_to(runs, tmp_path):
    ranking.evaluate_ranking(RAW, Settings(), protocol="temporal", keep=tmp_path / "kept")
    assert (tmp_path / "kept" / "made").exists()


def test_a_table_for_people_and_a_file_for_machines(runs, capsys, tmp_path):
    wanted = tmp_path / "new" / "figures.json"
    code, said, _ = tailor(
        capsys, "--protocol", "temporal", "--baselines", "item_knn", "--json", str(wanted)
    )
    assert code == 0
    figures = json.loads(wanted.read_text())
    assert list(figures["methods"]) == ["popularity", "item_knn", "retrieval", "tailor"]
    for name, method in figures["methods"].items():
        (row,) = [line for line in said.splitlines() if line.startswith(name)]
        assert f"{method['ndcg@10']:.4f}" in row
    assert "leak probe passed" in said


def test_json_alone_on_stdout(runs, capsys):
    code, said, _ = tailor(capsys, "--protocol", "temporal", "--json", "-")
    assert code == 0
    assert json.loads(said)["mode"] is None


def test_a_failed_probe_and_a_failed_baseline_are_shown(result, capsys):
    found = {"order": "row number in [item] id", "at_chance": False}
    more = {"seconds_total": 5, "peak_mib": 7, "leak_probe": {"orders": [found], "passed": False}}
    show(result | more)
    said = capsys.readouterr().out
    assert "leak probe failed: targets are found by row number in [item] id" in said
    assert "left out refuses: too many items" in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--protocol", "temporal", "--baselines", "knn"], "unknown baseline 'knn'"),
        (["--protocol", "temporal", "--mode", "train-only"], "leave-one-out"),
        (["--protocol", "temporal", "--json", "."], "can't be written"),
    ],
)
def test_what_can_not_be_done_is_told_before_any_work(runs, capsys, words, complaint):
    code, _, said = tailor(capsys, *words)
    assert code == 1
    assert complaint in said
    assert not runs


@pytest.mark.parametrize("words", [["--protocol", "random"], [], ["--mode", "other"]])
def test_wrong_usage_is_exit_code_2(capsys, words):
    with pytest.raises(SystemExit) as stop:
        tailor(capsys, *words)
    assert stop.value.code == 2


# --- the whole way


@pytest.mark.spark
def test_files_that_are_not_there_are_named(spark, capsys):
    code, _, said = tailor(capsys, "--protocol", "temporal", "--json", "out.json")
    assert code == 1
    assert "r: no such file" in said


@pytest.mark.slow
@pytest.mark.spark
def test_from_raw_files_to_figures(spark, capsys, monkeypatch, tmp_path):
    for name, value in tiny.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    raw = tiny.shop(tmp_path / "raw", seed=1)
    command = ["evaluate", "ranking", "--protocol", "leave-one-out", "--mode", "train-only"]
    files = ["--reviews", str(raw.reviews[0]), "--items", str(raw.items[0])]
    assert main([*command, *files, "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["protocol"], figures["mode"]) == ("leave-one-out", "train-only")
    assert figures["n_users"] > 100
    assert figures["methods"].keys() >= {"popularity", "item_knn", "retrieval", "tailor"}
    tailor, popularity = (figures["methods"][name] for name in ("tailor", "popularity"))
    assert tailor["ndcg@10"] > popularity["ndcg@10"]
    assert tailor["seconds_fit"] > 0
    assert figures["leak_probe"]["passed"]
    assert not (tmp_path / "home").exists()  # nothing of it stays in the shop's home
