"""Cuts on purchases written by hand: who is history, who is known, who is to be predicted."""

import pytest

from features.cuts import leave_one_out, numbered, temporal
from features.errors import QualityError
from features.moments import NAMES, Moments
from tests.features.shop import day

pytestmark = pytest.mark.spark

MOMENTS = Moments(*map(day, ("2024-01-15", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01")))
# shoppers of 1, 2, 3, 4 and 5 purchases, an item each: a5 is the fifth of ann
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "ann": 5}
ROWS = [f"{u} {u}{n} 2024-01-{n:02}T06:00" for u, count in COUNTS.items()
        for n in range(1, count + 1)]  # fmt: skip


def items(frame) -> set[str]:
    rows = [row["item_id"] for row in frame.collect()]
    assert len(rows) == len(set(rows))
    return set(rows)


def safe(cut) -> dict[str, bool]:
    return {row["item_id"]: row["tie_safe"] for row in cut.targets.collect()}


def test_by_time_targets_reach_to_the_next_moment(purchases):
    frame = purchases(
        "ann 0 2024-01-14", "ann a 2024-01-31T23:59:59.999", "ann b 2024-02-01",
        "ann c 2024-02-29T23:59:59.999",
        "ann c 2024-02-29", "new d 2024-02-02", "new e 2024-03-01", "ann f 2024-04-30",
        "late g 2024-05-01",
    )  # fmt: skip
    early, train, validate, last, serve = temporal(frame, MOMENTS)
    names = [cut.name for cut in (early, train, validate, last, serve)]
    assert names == ["early", "train", "validate", "eval", "serve"]
    assert [cut.as_of for cut in (train, serve)] == [MOMENTS.train, MOMENTS.serve]
    assert (items(early.histories), items(early.targets)) == ({"0"}, {"a"})
    assert items(train.histories) == items(train.known) == {"0", "a"}
    # twice the same item are two targets; `new` has no history yet
    assert sorted(row["item_id"] for row in train.targets.collect()) == ["b", "c", "c"]
    assert safe(validate) == {"e": True}
    assert safe(last) == {"f": True}
    assert serve.targets is None
    assert "g" not in items(serve.histories.filter("item_id != 'c'"))


def test_a_target_on_the_day_of_the_last_purchase_is_not_tie_safe(purchases):
    noon = Moments(*(getattr(MOMENTS, name).replace(hour=12) for name in NAMES))
    frame = purchases("ann a 2024-02-01T09:00", "ann b 2024-02-01T15:00", "ann c 2024-02-02")
    assert safe(temporal(frame, noon)[1]) == {"b": False, "c": True}


def test_each_shoppers_last_purchases_are_left_out(purchases):
    cuts = {cut.name: cut for cut in leave_one_out(purchases(*ROWS), "refreshed")}
    assert list(cuts) == ["early", "train", "validate", "eval"]
    assert not any(cut.clock for cut in cuts.values())
    assert {cut.as_of for cut in cuts.values()} == {day("2024-01-06")}
    # who has no purchase before has no target
    assert items(cuts["eval"].targets) == {"two2", "three3", "four4", "ann5"}
    assert items(cuts["validate"].targets) == {"three2", "four3", "ann4"}
    assert items(cuts["train"].targets) == {"four2", "ann3"}
    assert items(cuts["early"].targets) == {"ann2"}
    assert items(cuts["eval"].histories) == {
        "two1", "three1", "three2", "four1", "four2", "four3", "ann1", "ann2", "ann3", "ann4",
    }  # fmt: skip
    assert items(cuts["train"].histories) == {"four1", "ann1", "ann2"}
    for cut in cuts.values():
        assert items(cut.known) == items(cut.histories)
        assert set(safe(cut).values()) == {True}


def test_train_only_knows_one_purchase_less_than_the_histories(purchases):
    refreshed = {cut.name: cut for cut in leave_one_out(purchases(*ROWS), "refreshed")}
    cuts = {cut.name: cut for cut in leave_one_out(purchases(*ROWS), "train-only")}
    for name, cut in cuts.items():
        assert items(cut.histories) == items(refreshed[name].histories)
        assert items(cut.targets) == items(refreshed[name].targets)
    assert items(cuts["train"].known) == {"ann1"}
    assert items(cuts["validate"].known) == items(refreshed["train"].histories)
    assert items(cuts["eval"].known) == items(refreshed["validate"].histories)


def test_milliseconds_tell_the_last_and_no_file_order_does(purchases):
    rows = [f"ann i{n} 2024-01-03T00:00:00.00{n}" for n in (3, 1, 4, 2)]
    for order in (rows, rows[::-1]):
        _, train, validate, last = leave_one_out(purchases(*order), "refreshed")
        assert (safe(train), safe(validate), safe(last)) == (
            {"i2": False}, {"i3": False}, {"i4": False},
        )  # fmt: skip


def test_what_was_bought_at_once_is_arranged_by_the_hash(purchases):
    rows = [f"ann item{n} 2024-01-03" for n in range(6)]
    found = set()
    for order in (rows, rows[::-1], rows[3:] + rows[:3]):
        cuts = leave_one_out(purchases(*order).repartition(2), "refreshed")
        found.add(tuple(*map(tuple, zip(*(items(cut.targets) for cut in cuts), strict=True))))
    assert len(found) == 1
    assert found != {("item2", "item3", "item4", "item5")}  # nor does the id


def test_numbering_once_gives_the_same_cuts(purchases):
    frame = purchases(*ROWS)
    for one, other in zip(leave_one_out(frame, "train-only"),
                          leave_one_out(numbered(frame), "train-only"), strict=True):  # fmt: skip
        assert items(one.known) == items(other.known)
        assert items(one.targets) == items(other.targets)


@pytest.mark.parametrize(("mode", "least"), [("refreshed", 4), ("train-only", 5)])
def test_too_few_purchases_say_what_to_do(purchases, mode, least):
    rows = [f"ann i{n} 2024-01-0{n}" for n in range(1, least + 1)]
    assert len(leave_one_out(purchases(*rows), mode)) == 4
    with pytest.raises(QualityError, match=rf"at least {least} are needed.*temporal"):
        leave_one_out(purchases(*rows[1:], "bob a 2024-01-01"), mode)
    with pytest.raises(QualityError, match="more than 0"):
        leave_one_out(purchases(), mode)


def test_a_late_row_is_history_only_once_it_is_known(purchases):
    frame = purchases(
        "ann a 2024-01-05", "ann b 2024-01-20 known=2024-02-10", "ann c 2024-02-12 known=2024-03-05"
    )
    _, train, validate, last, _ = temporal(frame, MOMENTS)
    assert items(train.histories) == {"a"}
    # b was made before the span, c was not known within it: neither is a target
    assert items(train.targets) == set()
    assert items(validate.histories) == {"a", "b"}
    assert items(last.histories) == {"a", "b", "c"}


def test_left_out_purchases_have_no_clock_and_so_none_is_late(purchases):
    frame = purchases(*ROWS[:-1], ROWS[-1] + " known=2024-09-01")
    for numbering in (frame, numbered(frame)):
        cuts = {cut.name: cut for cut in leave_one_out(numbering, "refreshed")}
        assert "ann5" in items(cuts["eval"].targets)
