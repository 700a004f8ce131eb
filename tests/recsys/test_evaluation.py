"""Intervals and the harness, on worlds of known answers."""

import json

import numpy as np
import pytest

from recsys.errors import TailorError
from recsys.evaluation import harness
from recsys.evaluation.intervals import difference_interval, mean_interval
from recsys.evaluation.slices import Slice, by_history

# --- intervals


def test_the_interval_is_the_bootstrap_over_shoppers():
    values = np.random.default_rng(1).choice([0.0, 0.5, 1.0], size=400)
    rng = np.random.default_rng(2)
    resampled = values[rng.integers(400, size=(4000, 400))].mean(axis=1)
    expected = np.quantile(resampled, [0.025, 0.975])
    np.testing.assert_allclose(mean_interval(values, seed=0).bounds, expected, atol=0.004)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = 0
    for seed in range(200):
        _, low, high = mean_interval(rng.binomial(1, 0.3, 150).astype(float), seed=seed, draws=500)
        inside += low <= 0.3 <= high
    assert 180 <= inside <= 199


def test_pairing_sees_what_two_intervals_can_not():
    theirs = np.random.default_rng(4).random(500)
    ours = theirs + 0.01
    assert difference_interval(ours, theirs, seed=0).low > 0
    assert mean_interval(ours, seed=0).low < mean_interval(theirs, seed=0).high


def test_the_seed_decides_the_interval():
    values = np.random.default_rng(5).random(50)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_different_shoppers_can_not_be_paired():
    with pytest.raises(TailorError, match="can't be paired"):
        difference_interval(np.zeros(3), np.zeros(4), seed=0)


# --- harness


def shop(users=300, items=50):
    """Everyone wants item u mod items; `good` ranks it second, `popular` shows 0..9 to all."""
    targets = (np.arange(users) % items).astype(np.int32)
    good = (targets[:, None] + np.array([1, 0, 2, 3, 4, 5, 6, 7, 8, 9])) % items
    popular = np.tile(np.arange(10), (users, 1))
    return {"popular": popular.astype(np.int32), "good": good.astype(np.int32)}, targets


def evaluated(**more):
    methods, targets = shop()
    return harness.evaluate(
        methods,
        targets,
        popularity=np.arange(50)[::-1],
        n_items=50,
        seed=0,
        seconds_fit={"good": 9.5},
        seconds_score={"good": 1.5},
        **more,
    )


def test_a_better_method_is_seen_to_be_better():
    result = evaluated()
    good, popular = result["methods"]["good"], result["methods"]["popular"]
    assert good["ndcg@10"] == pytest.approx(1 / np.log2(3))
    assert (good["hr@10"], popular["hr@10"]) == (1, pytest.approx(0.2))
    assert good["against_popular"]["ci"][0] > 0.4
    assert "against_popular" not in popular
    assert (good["coverage@10"], popular["coverage@10"]) == (1, 0.2)
    assert good["novelty@10"] > popular["novelty@10"]
    assert (good["seconds_score"], popular["seconds_score"]) == (1.5, None)
    assert (good["seconds_fit"], popular["seconds_fit"]) == (9.5, None)
    assert (result["headline"], result["n_users"], result["n_items"]) == ("good", 300, 50)
    json.dumps(result, allow_nan=False)


def test_accuracy_is_told_at_each_cut_and_recall_at_the_depths_that_lists_have():
    methods, targets = shop()
    wide = np.stack([np.random.default_rng(u).permutation(50) for u in range(300)])
    result = harness.evaluate(
        methods | {"wide": wide.astype(np.int32)},
        targets,
        popularity=np.ones(50),
        n_items=50,
        seed=0,
    )["methods"]
    for method in result.values():
        assert method.keys() >= {f"{m}@{k}" for m in ("ndcg", "hr", "mrr") for k in (5, 10, 20)}
    assert {"recall@20", "recall@100", "recall@200"} & result["wide"].keys() == {"recall@20"}
    assert not [metric for metric in result["good"] if metric.startswith("recall")]
    assert result["wide"]["recall@20"] == result["wide"]["hr@20"] > result["wide"]["hr@10"]
    assert result["good"]["hr@20"] == result["good"]["hr@10"]  # a short list counts what it has


def test_slices_stand_in_each_method():
    lengths = np.repeat([1, 5, 40], 100)
    result = evaluated(slices=by_history(lengths))
    assert result["slices"]["long"] == {"n_users": 100, "label": "10 or more purchases"}
    good, popular = (result["methods"][name]["slices"] for name in ("good", "popular"))
    assert {name: part["n_users"] for name, part in good.items()} == dict.fromkeys(
        ["cold", "short", "long"], 100
    )
    assert good["long"]["hr@10"] == 1
    assert good["cold"]["against_popular"]["ci"][0] > 0
    assert "against_popular" not in popular["cold"]
    assert list(evaluated(slices=by_history(np.full(300, 7)))["slices"]) == ["short"]


def test_a_slice_is_measured_as_if_its_shoppers_were_all():
    methods, targets = shop()
    inside = targets < 10
    result = evaluated(slices={"mine": Slice(inside, "low targets")})
    alone = harness.evaluate(
        {name: lists[inside] for name, lists in methods.items()},
        targets[inside],
        popularity=np.ones(50),
        n_items=50,
        seed=0,
    )
    for name in methods:
        part = result["methods"][name]["slices"]["mine"]
        for figure in ("ndcg@10", "hr@10", "ndcg@10_ci", "against"):
            assert part[figure] == alone["methods"][name][figure]
    assert result["methods"]["popular"]["slices"]["mine"]["hr@10"] == 1


def test_whom_a_method_is_compared_with():
    methods, targets = shop()
    methods |= {"same": methods["good"], "last": methods["popular"][:, ::-1]}
    rest = {"popularity": np.ones(50), "n_items": 50, "seed": 0}

    def rivals(**more):
        result = harness.evaluate(methods, targets, **rest, **more)["methods"]
        return {name: list(method["against"]) for name, method in result.items()}

    assert rivals() == {
        "popular": [],
        "good": ["popular"],
        "same": ["popular"],
        "last": ["popular"],
    }
    named = rivals(headline="good", against=["same"])
    assert named["good"] == ["popular", "same", "last"]
    assert named["last"] == ["popular", "same"]
    assert named["same"] == ["popular"]
    result = harness.evaluate(methods, targets, headline="good", **rest)["methods"]
    assert result["good"]["against"]["same"] == {"ndcg@10_diff": 0, "ci": [0, 0]}
    assert result["good"]["against"]["popular"] == result["good"]["against_popular"]


def test_popularity_may_go_by_another_name():
    methods, targets = shop()
    methods = {"best sellers": methods["popular"], "good": methods["good"]}
    rest = {"popularity": np.ones(50), "n_items": 50, "seed": 0}
    result = harness.evaluate(methods, targets, baseline="best sellers", **rest)
    good = result["methods"]["good"]
    assert result["headline"] == "good"
    assert good["against_popular"] == good["against"]["best sellers"]
    assert "against_popular" not in result["methods"]["best sellers"]


def test_the_funnel_is_recall_at_each_width():
    methods, targets = shop()
    steps = {"candidates": methods["good"], "ranker": methods["good"][:, :1]}
    assert [(s["k"], s["recall"]) for s in harness.funnel(steps, targets)] == [(10, 1), (1, 0)]


def test_the_baseline_and_the_headline_must_be_measured():
    methods, targets = shop()
    rest = {"popularity": np.ones(50), "n_items": 50, "seed": 0}
    with pytest.raises(TailorError, match="'popular'"):
        harness.evaluate({"good": methods["good"]}, targets, **rest)
    with pytest.raises(TailorError, match="'best'"):
        harness.evaluate(methods, targets, headline="best", **rest)
    with pytest.raises(TailorError, match="'rival'"):
        harness.evaluate(methods, targets, against=["rival"], **rest)
    with pytest.raises(TailorError, match="no shopper"):
        harness.evaluate(methods, targets[:0], **rest)
