"""Do no harm: where the model hurts, the ranker serves, and the decision says on what it rests."""

import numpy as np
import pytest

from recsys.candidates.base import Parts
from recsys.candidates.personas import Personas
from recsys.decision import Decision, decide, undecided
from recsys.errors import ArtifactError
from recsys.ladder import Rung
from recsys.recommend import Recommender
from tests.recsys.shop import make_shop, make_shoppers

# 100 shoppers of each length: cold, short, long
LENGTHS = np.repeat([1, 5, 20], 100)
COLD, SHORT, LONG = (n == LENGTHS for n in (1, 5, 20))


def world(**of_model):
    """The ranker finds half of all targets; the model adds or takes a little, by slice."""
    rng = np.random.default_rng(0)
    ranker = (np.arange(300) % 2).astype(float)
    adapted = ranker + sum(
        mask * of_model.get(name, 0.0)
        for name, mask in (("cold", COLD), ("short", SHORT), ("long", LONG))
    )
    return {
        Rung.RANKER: ranker,
        Rung.ADAPTED_LM: adapted + rng.normal(scale=0.01, size=300),
        Rung.PERSONA: np.zeros(300),
    }


def decided(gains, **more):
    return decide(gains, LENGTHS, **{"least": 50, "seed": 0} | more)


def rungs(decision):
    return {name: part.choice.rung for name, part in decision.slices.items()}


def test_where_the_model_hurts_the_ranker_serves_and_says_why():
    made = decided(world(cold=-0.1, short=0.2, long=0.2))
    assert made.default.rung is Rung.ADAPTED_LM
    assert rungs(made) == {
        "cold": Rung.RANKER, "short": Rung.ADAPTED_LM, "long": Rung.ADAPTED_LM
    }  # fmt: skip
    cold = made.slices["cold"].choice
    assert cold.why == "the adapted model does harm"
    assert cold.n == 100
    against_ranker = cold.evidence[0]
    assert (against_ranker.rung, against_ranker.against) == (Rung.ADAPTED_LM, Rung.RANKER)
    assert against_ranker.difference == pytest.approx(-0.1, abs=0.01)
    assert against_ranker.interval[1] < 0
    told = made.rungs(np.array([0, 1, 2, 3, 9, 10, 400]))
    assert told.tolist() == [Rung.RANKER] * 3 + [Rung.ADAPTED_LM] * 4


def test_help_that_may_be_luck_is_no_reason_to_pay_for_a_model():
    gains = world(cold=0.2, long=0.2)
    made = decided(gains)
    assert made.slices["short"].choice.rung is Rung.RANKER
    assert made.slices["short"].choice.why == "the adapted model is not shown to help"


def test_a_group_serves_only_where_it_is_shown_to_be_better():
    gains = world(cold=0.2, short=0.2, long=0.2) | {Rung.PERSONA: np.where(COLD, 0.9, 0.5)}
    made = decided(gains)
    assert rungs(made)["cold"] is Rung.PERSONA
    assert rungs(made)["long"] is Rung.ADAPTED_LM
    assert [one.against for one in made.slices["cold"].choice.evidence] == [
        Rung.RANKER, Rung.PERSONA
    ]  # fmt: skip


def test_too_few_shoppers_are_served_like_everyone():
    made = decided(world(cold=-0.1, short=0.2, long=0.2), least=101)
    assert set(rungs(made).values()) == {made.default.rung} == {Rung.ADAPTED_LM}
    assert "too few" in made.slices["cold"].choice.why


def test_a_model_without_weight_is_not_among_the_rungs():
    gains = world()
    del gains[Rung.ADAPTED_LM]
    made = decided(gains)
    assert made.default.rung is Rung.RANKER
    assert "no weight" in made.default.why


def test_all_intervals_together_hold_as_often_as_one_of_95_percent():
    from recsys.evaluation.intervals import difference_interval

    gains = world(cold=0.1)
    wide = decided(gains).default.evidence[0].interval
    usual = difference_interval(gains[Rung.ADAPTED_LM], gains[Rung.RANKER], seed=0)
    assert wide[0] < usual.low
    assert wide[1] > usual.high


def test_it_is_read_back_as_it_was_written(tmp_path):
    made = decided(world(cold=-0.1, short=0.2), decided_on="validation")
    made.write(tmp_path)
    assert Decision.read(tmp_path) == made
    with pytest.raises(ArtifactError):
        Decision.read(tmp_path / "nowhere")


def test_nobody_to_decide_on_holds_nothing_back():
    made = undecided(Rung.ADAPTED_LM, "nobody")
    assert made.rungs(np.array([0, 5, 50])).tolist() == [Rung.ADAPTED_LM] * 3


def test_groups_keep_what_their_shoppers_buy(tmp_path):
    shop = make_shop(tmp_path / "shop", users=20)
    groups = Personas.of(np.eye(2, 8, dtype=np.float32), shop.shoppers, len(shop.catalogue))
    groups.save(tmp_path / "groups")
    read = Personas.load(tmp_path / "groups")
    items, scores = read.candidates(shop.shoppers, 4)
    for row in range(len(shop.shoppers)):
        own = shop.catalogue.item_ids[shop.shoppers.history(row)[0]].split("-")[0]
        assert {shop.catalogue.item_ids[item].split("-")[0] for item in items[row]} == {own}
    assert np.allclose(read.ask(shop.shoppers).at(items), scores)
    assert (read.ask(shop.shoppers).at(np.full((20, 2), -1, np.int32)) == 0).all()


def test_one_shopper_counts_as_much_as_another_in_a_group(tmp_path):
    shop = make_shop(tmp_path / "shop", users=4)
    shoppers = make_shoppers(
        shop.catalogue, [["Coffee-3"] * 30, ["Coffee-4"], ["Coffee-4", "Coffee-5"]]
    )
    groups = Personas.of(np.eye(1, 8, dtype=np.float32), shoppers, len(shop.catalogue))
    first = shop.catalogue.item_ids[groups.items[0, 0]]
    assert first == "Coffee-4"


def test_the_parts_of_a_release_hold_no_groups(tmp_path):
    shop = make_shop(tmp_path / "shop", users=4)
    assert isinstance(shop.parts, Parts)
    items, _ = Personas.build(shop.parts).candidates(shop.shoppers, 3)
    assert (items == -1).all()


def test_a_shop_without_groups_has_no_favourites_of_any(tmp_path):
    shop = make_shop(tmp_path / "shop", users=4)
    none = Personas.of(np.zeros((0, 8), np.float32), shop.shoppers, len(shop.catalogue))
    none.save(tmp_path / "groups")
    read = Personas.load(tmp_path / "groups")
    assert (read.candidates(shop.shoppers, 3)[0] == -1).all()
    assert read.tastes(shop.catalogue.categories) == []
    asked = Recommender(shop.shelf, shop.sources, personas=read)
    lists = asked.recommend(shop.shoppers, 3, highest=Rung.PERSONA)
    assert set(lists.rung) == {Rung.POPULAR}


def test_a_group_is_named_by_what_it_likes(tmp_path):
    shop = make_shop(tmp_path / "shop", users=20)
    groups = Personas.of(np.eye(2, 8, dtype=np.float32), shop.shoppers, len(shop.catalogue))
    assert groups.tastes(shop.catalogue.categories) == ["Coffee", "Garden"]
