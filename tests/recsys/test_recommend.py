from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.candidates.personas import Personas
from recsys.decision import Choice, Decision, Part
from recsys.errors import ArtifactError
from recsys.ladder import Rung, Why
from recsys.ranker import Labels, train, training_set
from recsys.recommend import Options, Recommender
from recsys.rerank import BlendFit, blend, ndcg_of_one, standardise
from recsys.settings import RankerSettings, Settings
from tests.recsys.shop import DEVICE, REFILL, item_name, make_shop, make_shoppers, stroll, taste_of

OPTIONS = Options(pool=20, rerank=8, chunk=16)


class Prefers:
    """Says that it likes given items."""

    def __init__(self, liked):
        self.liked = liked

    def score(self, user_vectors, items):
        scores = np.isin(items, self.liked).astype(np.float32)
        return np.where(items == -1, np.float32("-inf"), scores)


class Knows:
    """Knows (or, with -1, gets wrong) what each shopper buys next."""

    def __init__(self, shoppers, targets, sign=1):
        known = zip(shoppers.vectors, targets, strict=True)
        self.next = {v.tobytes(): int(t) for v, t in known}
        self.sign = sign

    def score(self, user_vectors, items):
        targets = np.array([self.next[v.tobytes()] for v in user_vectors])
        scores = (items == targets[:, None]).astype(np.float32) * self.sign
        return np.where(items == -1, np.float32("-inf"), scores)


class Broken:
    def score(self, user_vectors, items):
        raise RuntimeError("out of memory")


class Misshapen:
    def score(self, user_vectors, items):
        return np.zeros(len(items), np.float32)


class UnsureOfTheFirst:
    def score(self, user_vectors, items):
        scores = np.zeros(items.shape, np.float32)
        scores[0] = np.nan
        return scores


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def recommender(shop):
    users = np.arange(len(shop.shoppers))
    labels = Labels.of(users, shop.targets, np.zeros_like(users), len(users))
    data = training_set(shop.shoppers, labels, shop.sources, shop.shelf, size=OPTIONS.pool)
    ranker = train([data], RankerSettings(rounds=30, least_rows=10, feature_share=1), seed=1)
    return Recommender(shop.shelf, shop.sources, ranker, options=OPTIONS)


by_group = Choice(Rung.PERSONA, "", 50)


def groups(shop):
    """Two tastes, two groups."""
    centres = np.eye(2, 8, dtype=np.float32)
    return Personas.of(centres, shop.shoppers, len(shop.catalogue))


def same(a, b):
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("items", "scores", "rung"))


def test_lists_are_of_the_taste_and_hold_nothing_twice(shop, recommender):
    lists = recommender.recommend(shop.shoppers, 5)
    assert lists.items.shape == (len(shop.shoppers), 5)
    for row, items in enumerate(lists.items):
        assert taste_of(shop.catalogue, items) == taste_of(
            shop.catalogue, shop.shoppers.history(row)
        )
        assert len(set(items)) == 5
    assert (np.diff(lists.scores, axis=1) <= 0).all()
    assert set(lists.rung) == {Rung.RANKER}
    assert set(lists.why) == {Why.NO_RERANKER}


def test_the_refill_stands_on_top_after_the_device(shop, recommender):
    for taste in range(2):
        shoppers = make_shoppers(
            shop.catalogue, [[item_name(taste, 6), item_name(taste, 9), item_name(taste, DEVICE)]]
        )
        lists = recommender.recommend(shoppers, 3, explain=True)
        assert shop.catalogue.item_ids[lists.items[0, 0]] == item_name(taste, REFILL)
        assert lists.reasons[0][0] == f"often bought after The {item_name(taste, DEVICE)}"


@pytest.mark.parametrize("reranker", [None, Prefers([3, 4, 5, 6])])
@pytest.mark.parametrize("masked", [False, True])
def test_alone_or_in_company_the_list_is_the_same(shop, recommender, reranker, masked):
    """To the last bit of the scores, for long histories as for short ones."""
    sizes = replace(OPTIONS, mask_history=masked)
    recommender = replace(recommender, reranker=reranker, options=sizes)
    histories, _ = stroll(20, seed=9)
    histories[3] = [*["Garden-4"] * 30, *histories[3]]
    histories[7] = histories[7][:1]
    shoppers = make_shoppers(shop.catalogue, histories)
    together = recommender.recommend(shoppers, 6)
    for row in range(20):
        assert same(together.take([row]), recommender.recommend(shoppers.take([row]), 6))
    wide = replace(recommender, options=replace(sizes, chunk=7))
    assert same(together, wide.recommend(shoppers, 6))


def test_the_reranker_reorders_the_head_only(shop, recommender):
    plain = recommender.recommend(shop.shoppers, 20)
    liked = plain.items[:, 5]  # every shopper's sixth
    lists = replace(recommender, reranker=Prefers(liked), blend_weight=50.0).recommend(
        shop.shoppers, 20
    )
    assert set(lists.rung) == {Rung.ADAPTED_LM}
    assert set(lists.why) == {Why.BEST}
    assert np.isin(lists.items[:, 0], liked).all()
    n = OPTIONS.rerank
    assert np.array_equal(np.sort(lists.items[:, :n]), np.sort(plain.items[:, :n]))
    assert np.array_equal(lists.items[:, n:], plain.items[:, n:])
    real = lists.items >= 0
    steps = np.diff(np.where(real, lists.scores, -1e9), axis=1)
    assert (steps <= 0).all()


@pytest.mark.parametrize("reranker", [Broken(), Misshapen()])
def test_a_failing_reranker_lowers_the_rung_and_nothing_else(shop, recommender, reranker):
    lists = replace(recommender, reranker=reranker).recommend(shop.shoppers, 5)
    assert same(lists, recommender.recommend(shop.shoppers, 5))
    assert set(lists.why) == {Why.RERANKER_FAILED}
    assert len(lists.failures) == 1
    assert "reranker_failed" in lists.failures[0]


def test_who_the_reranker_is_unsure_of_keeps_the_ranking(shop, recommender):
    shoppers = shop.shoppers.take(np.arange(4))
    lists = replace(recommender, reranker=UnsureOfTheFirst()).recommend(shoppers, 5)
    assert lists.rung.tolist() == [Rung.RANKER] + [Rung.ADAPTED_LM] * 3
    assert lists.why[0] is Why.RERANKER_UNSURE
    assert np.array_equal(lists.items, recommender.recommend(shoppers, 5).items)


def test_weight_zero_means_the_model_is_not_asked(shop, recommender):
    lists = replace(recommender, reranker=Broken(), blend_weight=0.0).recommend(shop.shoppers, 5)
    assert set(lists.why) == {Why.NOT_HELPFUL}
    assert not lists.failures


def test_each_part_lost_costs_one_rung(shop, recommender):
    class BrokenRanker:
        def check(self, names):
            pass

        def predict(self, features):
            raise ArtifactError("torn")

    class BrokenSource(type(shop.sources[0])):
        def ask(self, shoppers):
            raise OSError("index is gone")

    cases = [
        (replace(recommender, ranker=None), Rung.RETRIEVAL, Why.NO_RANKER),
        (replace(recommender, ranker=BrokenRanker()), Rung.RETRIEVAL, Why.RANKER_FAILED),
        (
            replace(recommender, ranker=None, sources=[BrokenSource(shop.catalogue)]),
            Rung.POPULAR,
            Why.RETRIEVAL_FAILED,
        ),
    ]
    for broken, rung, why in cases:
        lists = broken.recommend(shop.shoppers, 5)
        assert (set(lists.rung), set(lists.why)) == ({rung}, {why})
        assert (lists.items >= 0).all()


def test_the_caller_may_ask_for_less(shop, recommender):
    recommender = replace(recommender, reranker=Prefers([1]), personas=groups(shop))
    for rung in Rung:
        lists = recommender.recommend(shop.shoppers.take([0]), 5, highest=rung)
        assert lists.rung[0] is rung
        assert lists.why[0] is (Why.BEST if rung is Rung.ADAPTED_LM else Why.AS_ASKED)


def test_the_decision_of_the_release_is_obeyed_by_slice(shop, recommender):
    hurt = Decision(
        Choice(Rung.ADAPTED_LM, "", 100),
        {"cold": Part(0, 2, Choice(Rung.RANKER, "", 50)), "odd": Part(4, 4, by_group)},
    )
    asked = replace(recommender, reranker=Prefers([1]), personas=groups(shop))
    shoppers = make_shoppers(
        shop.catalogue,
        [["Coffee-4"], ["Garden-2", "Garden-4", "Garden-6"], [f"Coffee-{n}" for n in range(4)], []],
    )
    lists = replace(asked, decision=hurt).recommend(shoppers, 5, explain=True)
    assert lists.rung.tolist() == [Rung.RANKER, Rung.ADAPTED_LM, Rung.PERSONA, Rung.POPULAR]
    assert lists.why.tolist() == [
        Why.NOT_HELPFUL_HERE, Why.BEST, Why.GROUP_IS_BETTER, Why.NO_HISTORY
    ]  # fmt: skip
    plain = asked.recommend(shoppers, 5)
    assert same(lists.take([1]), plain.take([1]))
    ranked = asked.recommend(shoppers, 5, highest=Rung.RANKER)
    assert same(lists.take([0]), ranked.take([0]))
    assert taste_of(shop.catalogue, lists.items[2]) == {"Coffee"}
    assert lists.reasons[2][0] == "liked by shoppers of a similar taste"
    # who asks for less gets less, whatever was decided
    low = replace(asked, decision=hurt).recommend(shoppers, 5, highest=Rung.RETRIEVAL)
    assert low.rung.tolist() == [Rung.RETRIEVAL, Rung.RETRIEVAL, Rung.PERSONA, Rung.POPULAR]


def test_a_decision_takes_nothing_from_a_model_that_is_left_out_anyway(shop, recommender):
    held = Decision(Choice(Rung.RANKER, "", 100))
    left_out = replace(recommender, reranker=Broken(), blend_weight=0.0, decision=held)
    assert set(left_out.recommend(shop.shoppers, 5).why) == {Why.NOT_HELPFUL}


def test_without_retrieval_a_group_speaks_for_its_shoppers(shop, recommender):
    class Gone(type(shop.sources[0])):
        def ask(self, shoppers):
            raise OSError("index is gone")

    broken = replace(
        recommender, ranker=None, sources=[Gone(shop.catalogue)], personas=groups(shop)
    )
    lists = broken.recommend(shop.shoppers, 5)
    assert (set(lists.rung), set(lists.why)) == ({Rung.PERSONA}, {Why.RETRIEVAL_FAILED})
    for row, items in enumerate(lists.items):
        assert taste_of(shop.catalogue, items) == taste_of(
            shop.catalogue, shop.shoppers.history(row)
        )


def test_who_has_no_known_taste_is_in_no_group(shop, recommender):
    shoppers = shop.shoppers.take(np.arange(2))
    shoppers = replace(shoppers, vectors=shoppers.vectors * np.array([[1], [0]], np.float32))
    grouped = replace(recommender, personas=groups(shop))
    lists = grouped.recommend(shoppers, 5, highest=Rung.PERSONA)
    assert lists.rung.tolist() == [Rung.PERSONA, Rung.POPULAR]
    assert lists.why.tolist() == [Why.AS_ASKED, Why.NO_PERSONA]
    without = recommender.recommend(shoppers, 5, highest=Rung.PERSONA)
    assert (set(without.rung), set(without.why)) == ({Rung.POPULAR}, {Why.NO_PERSONA})


def test_a_stranger_gets_what_is_popular(shop, recommender):
    shoppers = make_shoppers(shop.catalogue, [["Coffee-4"], [], ["Garden-4"]])
    lists = recommender.recommend(shoppers, 5, explain=True)
    assert lists.user_ids.tolist() == ["u0", "u1", "u2"]
    assert lists.rung.tolist() == [Rung.RANKER, Rung.POPULAR, Rung.RANKER]
    assert lists.why[1] is Why.NO_HISTORY
    best = np.argsort(-shop.stats.purchases, kind="stable")[:5]
    assert lists.items[1].tolist() == best.tolist()
    assert set(lists.reasons[1]) == {"popular this month"}
    assert taste_of(shop.catalogue, lists.items[2]) == {"Garden"}


def test_a_longer_list_than_the_shop_is_padded_and_nobody_is_no_error(shop, recommender):
    lists = recommender.recommend(shop.shoppers.take([0]), 99)
    real = lists.items[0] >= 0
    assert 0 < real.sum() <= len(shop.catalogue)
    assert np.array_equal(np.isneginf(lists.scores[0]), ~real)
    assert recommender.recommend(shop.shoppers.take([]), 5).items.shape == (0, 5)


def test_masked_history_stays_out(shop, recommender):
    masked = replace(recommender, options=replace(OPTIONS, mask_history=True))
    lists = masked.recommend(shop.shoppers, 5)
    for row, items in enumerate(lists.items):
        assert not set(items) & set(shop.shoppers.history(row))


def test_another_rankers_features_are_refused_at_once(shop, recommender):
    with pytest.raises(ArtifactError, match="other features"):
        replace(recommender, sources=shop.sources[:2])


def test_every_reason_about_a_purchase_names_one_of_her_own(shop, recommender):
    lists = recommender.recommend(shop.shoppers, 5, explain=True)
    for row, reasons in enumerate(lists.reasons):
        own = {shop.catalogue.titles[i] for i in shop.shoppers.history(row)}
        for reason in reasons:
            if " The " in reason:
                assert "The " + reason.rsplit("The ", 1)[1] in own


def test_the_weight_is_chosen_by_what_helps(shop, recommender):
    histories, wanted = stroll(100, seed=9)  # the ranker never saw them
    shoppers = make_shoppers(shop.catalogue, histories)
    targets = shop.catalogue.positions(wanted)
    targets[[i.startswith("Coffee-1") for i in wanted]] = -1  # nothing known of them
    helps = replace(recommender, reranker=Knows(shoppers, targets)).fit_blend(shoppers, targets)
    harms = replace(recommender, reranker=Knows(shoppers, targets, -1))
    harms = harms.fit_blend(shoppers, targets)
    assert helps.weight > 0
    assert harms.weight == 0
    assert helps.ndcg[0.0] == harms.ndcg[0.0]
    known = targets >= 0
    plain = recommender.recommend(shoppers, 10).items[known]
    assert helps.ndcg[0.0] == pytest.approx(ndcg_of_one(plain, targets[known], 10).mean())


def test_ndcg_of_one_target():
    items = np.array([[4, 5, 6], [7, 8, 9], [1, -1, -1], [2, 3, 1]], np.int32)
    targets = np.array([4, 9, -1, 1], np.int32)
    assert ndcg_of_one(items, targets, 2) == pytest.approx([1, 0, 0, 0])
    assert ndcg_of_one(items, targets, 3) == pytest.approx([1, 1 / np.log2(4), 0, 1 / np.log2(4)])


def test_help_that_may_be_luck_gives_no_weight():
    alone = np.tile([0.0, 1.0], 50)
    lucky = alone.copy()
    lucky[0] = 1.0  # one of a hundred shoppers is better off
    assert BlendFit.choose({0.0: alone, 0.5: lucky}).weight == 0
    lucky[:40] = 1.0
    fit = BlendFit.choose({0.0: alone, 0.5: lucky, 1.0: lucky})
    assert (fit.weight, fit.ndcg[0.0]) == (0.5, 0.5)
    assert BlendFit.choose({0.0: np.empty(0), 0.5: np.empty(0)}).weight == 0


def test_sizes_come_from_the_settings():
    assert Options.of(Settings()) == Options(pool=200, rerank=20)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (3, 5), elements=st.floats(-100, 100, width=32)))
def test_standardised_rows_are_comparable(scores):
    scores[:, 3:] = -np.inf
    flat = standardise(scores)
    assert np.isneginf(flat[:, 3:]).all()
    assert np.allclose(flat[:, :3].mean(axis=1), 0, atol=1e-4)
    assert (np.abs(flat[:, :3]) <= 2).all()
    assert np.array_equal(blend(scores, scores, 0.0), flat)
