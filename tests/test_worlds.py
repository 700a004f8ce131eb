"""The tiny worlds hold what they promise."""

import json

import pytest

from tests import worlds

ALL = (worlds.two_tastes, worlds.refills, worlds.changed_minds)


@pytest.mark.parametrize("make", ALL)
def test_worlds_are_the_same_each_time_and_complete(make):
    world = make()
    assert world == make()
    known = {item["item_id"] for item in world.items}
    assert {item for _, item, _, _ in world.purchases} <= known
    assert set(world.expected["next"]) == set(world.users)
    times = [(user, time) for user, _, time, _ in world.purchases]
    assert len(set(times)) == len(times)


@pytest.mark.parametrize("make", ALL)
def test_what_comes_next_was_not_bought_yet(make):
    world = make()
    for user, answer in world.expected["next"].items():
        wanted = {answer} if isinstance(answer, str) else answer
        assert wanted
        assert wanted.isdisjoint(world.history(user))


def test_two_tastes_are_disjoint():
    world = worlds.two_tastes()
    shelf, taste_of = world.expected["shelf"], world.expected["taste_of"]
    assert set(shelf["tea"]).isdisjoint(shelf["bike"])
    assert len(world.users) == 40
    assert all(item in shelf[taste_of[user]] for user, item, _, _ in world.purchases)
    assert all(world.expected["next"][u] < set(shelf[t]) for u, t in taste_of.items())


def test_each_device_is_followed_by_its_refill():
    world = worlds.refills()
    refill_of = world.expected["refill_of"]
    for user in world.users:
        *pairs, last = world.history(user)
        assert [refill_of[device] for device in pairs[::2]] == pairs[1::2]
        assert world.expected["next"][user] == refill_of[last]


def test_minds_change_half_way():
    world = worlds.changed_minds()
    for user in world.users:
        tastes = [item.split("-")[0] for item in world.history(user)]
        assert len(set(tastes[:5])) == len(set(tastes[5:])) == 1
        assert tastes[0] != tastes[5] == world.expected["new_taste"][user]


def test_raw_files_say_the_same(tmp_path):
    world = worlds.two_tastes()
    world.write_raw(tmp_path)
    reviews, items = (
        [json.loads(line) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
        for name in ("reviews.jsonl", "items.jsonl")
    )
    assert world.purchases == [
        (row["user_id"], row["parent_asin"], row["timestamp"] // 1000, row["rating"])
        for row in reviews
    ]
    assert [item["title"] for item in world.items] == [row["title"] for row in items]
    assert [item["item_id"] for item in world.items] == [row["parent_asin"] for row in items]
