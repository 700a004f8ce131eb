"""Lists over HTTP: what is published, what is made anew, and what both say of themselves."""

import pytest

from recsys.ladder import Rung
from recsys.service.answers import Asked, Lists
from recsys.service.breaker import Breaker
from recsys.service.config import BreakerSettings
from recsys.service.filters import Stock
from recsys.service.shopper import Desk


def ids(answer):
    return [place["item_id"] for place in answer.json()["items"]]


def test_the_published_list_is_served_while_nothing_changed(client, users, snapshot):
    told = client.get(f"/v1/recommendations/{users[0]}", params={"k": 5})
    assert told.status_code == 200
    body = told.json()
    assert body["source"] == "published"
    assert body["release"] == snapshot.release.id
    assert body["lineage_key"] == snapshot.release.key
    expected = snapshot.published.places(snapshot.published.rows[users[0]], 5)
    assert ids(told) == [snapshot.catalogue.item_ids[item] for item, _ in expected]
    assert "lookup;dur=" in told.headers["server-timing"]


def test_a_list_made_anew_is_the_published_one(client, users):
    """Nothing changed since: the online path and the batch give the same list."""
    for user in users[:20]:
        made = client.get(f"/v1/recommendations/{user}", params={"in_stock": True}).json()
        published = client.get(f"/v1/recommendations/{user}").json()
        assert made["source"] == "live"
        assert (made["rung"], made["why"]) == (published["rung"], published["why"])
        assert [p["item_id"] for p in made["items"]] == [p["item_id"] for p in published["items"]]


def test_a_stranger_gets_what_is_popular_and_is_told_so(client):
    body = client.get("/v1/recommendations/nobody at all").json()
    assert (body["rung"], body["why"]) == ("popular", "no_history")
    assert len(body["items"]) == 10


def test_explained_places_tell_reasons_and_ranks_by_stage(client, users):
    body = client.get(f"/v1/recommendations/{users[1]}", params={"explain": True}).json()
    for place in body["items"]:
        assert place["reason"]
        assert place["ranks"]["ranker"] == place["rank"]
        assert place["ranks"]["retrieval"] >= 1
    assert body["explanation"]["features"]["user_history"]["item_ids"]


def test_what_is_left_out_does_not_come(client, users, snapshot, running, tmp_path):
    catalogue = snapshot.catalogue
    first = client.get(f"/v1/recommendations/{users[2]}", params={"k": 3})
    gone = ids(first)[:2]
    told = client.get(f"/v1/recommendations/{users[2]}", params={"k": 3, "exclude": gone})
    assert not set(gone) & set(ids(told))
    category = catalogue.categories[0][0]
    told = client.get(f"/v1/recommendations/{users[2]}", params={"category": category})
    assert told.json()["items"]
    assert all(category in catalogue.categories[catalogue.index[item]] for item in ids(told))
    out = tmp_path / "out of stock"
    out.write_text("\n".join(ids(first)))
    running.app.state.service.lists.stock._path = out
    told = client.get(f"/v1/recommendations/{users[2]}", params={"k": 3, "in_stock": True})
    assert not set(ids(first)) & set(ids(told))
    running.app.state.service.lists.stock._path = None


def test_what_she_looks_at_leads_to_what_goes_with_it(client, users, snapshot):
    item = snapshot.catalogue.item_ids[7]
    told = client.get(f"/v1/recommendations/{users[3]}", params={"context_item": item})
    assert told.json()["source"] == "live"
    assert item not in ids(told)
    assert ids(told) != ids(client.get(f"/v1/recommendations/{users[3]}"))
    told = client.get("/v1/recommendations/a stranger", params={"context_item": item}).json()
    assert told["rung"] != "popular"  # what she looks at is something to go by
    told = client.get(f"/v1/recommendations/{users[3]}", params={"context_item": "no such"}).json()
    assert told["unknown_items"] == ["no such"]


def test_several_lists_are_of_one_release(client, users, snapshot):
    told = client.post("/v1/recommendations", json={"users": [*users[:4], "nobody"], "k": 2}).json()
    assert [one["user"] for one in told["results"]] == [*users[:4], "nobody"]
    assert {one["lineage_key"] for one in told["results"]} == {snapshot.key}


def test_own_candidates_are_ordered_as_they_are_in_her_list(client, users):
    listed = ids(client.get(f"/v1/recommendations/{users[4]}"))
    told = client.post(
        "/v1/rerank", json={"user": users[4], "items": [*reversed(listed), "no such"]}
    ).json()
    assert told["rung"] == "ranker"
    assert told["unknown_items"] == ["no such"]
    assert sorted(place["item_id"] for place in told["items"]) == sorted(listed)
    stranger = client.post("/v1/rerank", json={"user": "nobody", "items": listed}).json()
    assert (stranger["rung"], stranger["why"]) == ("popular", "no_history")


def test_a_choice_is_told_with_its_shares_or_not_at_all(client, users):
    options = ids(client.get(f"/v1/recommendations/{users[5]}"))[:3]
    told = client.post("/v1/preference", json={"user": users[5], "options": options}).json()
    shares = {one["item_id"]: one["probability"] for one in told["options"]}
    assert sum(shares.values()) == pytest.approx(1)
    assert told["choice"] == max(shares, key=shares.__getitem__)
    assert told["confidence"] == pytest.approx(max(shares.values()))
    assert told["calibrated"]
    more = (told["confidence"] + 1) / 2
    assert more > told["confidence"]
    asked = {"user": users[5], "options": options, "least_confidence": more}
    assert client.post("/v1/preference", json=asked).json()["choice"] is None
    told = client.post("/v1/preference", json={"user": "nobody", "options": options}).json()
    assert told["abstained"]
    assert not told["calibrated"]
    assert [one["probability"] for one in told["options"]] == [pytest.approx(1 / 3)] * 3


def test_near_items_are_near(client, snapshot):
    catalogue = snapshot.catalogue
    for by in ("meaning", "wording", "purchases"):
        told = client.get(f"/v1/similar/{catalogue.item_ids[3]}", params={"by": by, "k": 4})
        scores = [place["score"] for place in told.json()["items"]]
        assert scores == sorted(scores, reverse=True)
        assert catalogue.item_ids[3] not in ids(told)
    assert client.get("/v1/similar/no such").status_code == 404


def test_what_a_caller_has_is_not_sent_again(client, users):
    first = client.get(f"/v1/recommendations/{users[0]}")
    again = client.get(
        f"/v1/recommendations/{users[0]}", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_features_and_profile_come_with_their_times(client, users):
    told = client.get(f"/v1/features/{users[0]}").json()
    assert told["found"] == "whole"
    assert told["views"]["user_history"]["outcome"] == "fresh"
    assert told["views"]["user_history"]["age_days"] == 0
    profile = client.get(f"/v1/profiles/{users[0]}").json()
    assert profile["profile"]
    assert profile["event_timestamp"]
    assert client.get("/v1/profiles/nobody").status_code == 404


def test_a_store_that_is_down_lowers_the_list_and_is_left_alone(snapshot, users):
    breaker = Breaker(BreakerSettings(failures=2, seconds=60))
    lists = Lists(Desk(breaker), Stock(None))
    lookup = snapshot.lookup

    class Down:
        asked = 0

        def lookup(self, users):
            Down.asked += 1
            return lookup._none(users, "unavailable", "gone")

    object.__setattr__(snapshot, "lookup", Down())
    try:
        for _ in range(5):
            answer = lists.answer(snapshot, Asked(users[0], 4))
            assert answer.why == "lookup_failed"
            listed = snapshot.published.places(snapshot.published.rows[users[0]], 4)
            assert [(place.item, place.score) for place in answer.places] == listed
        assert Down.asked == 2
        stranger = lists.answer(snapshot, Asked("nobody", 4))
        assert stranger.rung is Rung.POPULAR
        assert len(stranger.places) == 4
    finally:
        object.__setattr__(snapshot, "lookup", lookup)
