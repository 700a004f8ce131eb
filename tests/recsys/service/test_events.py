"""Purchases made now, and shoppers who want to be forgotten."""

import time
from datetime import UTC, datetime, timedelta

from features.errors import StoreError
from recsys.results import database, events


def event(user, item, event_id="e-1", **more):
    moment = more.pop("at", datetime.now(UTC))
    return {
        "event_id": event_id, "user": user, "item": item,
        "event_timestamp": moment.isoformat(), **more,
    }  # fmt: skip


def history(client, user):
    views = client.get(f"/v1/features/{user}").json()["views"]
    return views["user_history"]["values"].get("item_ids", [])


def test_a_purchase_is_in_the_next_answer(client, users, snapshot):
    user, item = users[10], snapshot.catalogue.item_ids[11]
    before = client.get(f"/v1/recommendations/{user}").json()
    began = time.monotonic()
    told = client.post("/v1/events", json=event(user, item, "next"))
    after = client.get(f"/v1/recommendations/{user}").json()
    assert time.monotonic() - began < 1
    assert (told.status_code, told.json()["outcome"]) == (201, "applied")
    assert (before["source"], after["source"]) == ("published", "live")
    assert history(client, user)[-1] == item


def test_the_same_event_again_changes_nothing(client, users, snapshot):
    asked = event(users[11], snapshot.catalogue.item_ids[12], "twice")
    assert client.post("/v1/events", json=asked).status_code == 201
    held = history(client, users[11])
    again = client.post("/v1/events", json=asked)
    assert (again.status_code, again.json()["outcome"]) == (200, "applied")
    assert history(client, users[11]) == held
    other = asked | {"item": snapshot.catalogue.item_ids[13]}
    assert client.post("/v1/events", json=other).status_code == 409


def test_what_can_not_be_a_purchase_is_refused_and_not_kept(client, running):
    future = event("u", "i", "future", at=datetime.now(UTC) + timedelta(hours=1))
    assert client.post("/v1/events", json=future).status_code == 422
    naive = event("u", "i", "naive") | {"event_timestamp": "2024-01-01T00:00:00"}
    assert client.post("/v1/events", json=naive).status_code == 422
    assert not [
        one
        for one in events.since(running.app.state.service.engine, datetime.min.replace(tzinfo=UTC))
        if one.event_id in {"future", "naive"}
    ]


def test_a_purchase_outlives_a_store_that_is_down(own):
    with own() as running:
        state = running.app.state.service
        user = next(iter(running.app.state.serving._current.snapshot.published.rows))
        item = running.app.state.serving._current.snapshot.catalogue.item_ids[0]
        pusher = state.intake._pusher
        push, down = pusher.push, [True]

        def failing(purchase):
            if down:
                raise StoreError("gone", where="online store")
            return push(purchase)

        pusher.push = failing
        told = running.client.post("/v1/events", json=event(user, item, "later"))
        assert (told.status_code, told.json()["outcome"]) == (202, "pending")
        assert item not in history(running.client, user)
        down.clear()
        end = time.monotonic() + 10
        while item not in history(running.client, user):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert running.client.post("/v1/events", json=event(user, item, "later")).status_code in {
            200,
            409,
        }


def test_what_was_kept_and_not_pushed_is_pushed_by_the_next_start(own):
    with own() as running:
        snapshot = running.app.state.serving._current.snapshot
        user, item = list(snapshot.published.rows)[3], snapshot.catalogue.item_ids[5]
    engine = database.connect(database.sqlite_url(own.home / "results.db"))
    told = events.Event("left over", user, item, datetime.now(UTC))
    assert events.keep(engine, told).new
    with own() as running:
        end = time.monotonic() + 10
        while item not in history(running.client, user):
            assert time.monotonic() < end
            time.sleep(0.05)
    assert not events.unsettled(engine)


def test_an_erased_shopper_is_gone_with_a_receipt(own):
    with own() as running:
        client = running.client
        snapshot = running.app.state.serving._current.snapshot
        user, other = list(snapshot.published.rows)[4:6]
        client.post("/v1/events", json=event(user, snapshot.catalogue.item_ids[5], "hers"))
        told = client.delete(f"/v1/users/{user}")
        assert told.status_code == 200
        assert told.json()["removed"]["online"] > 0
        assert told.json()["removed"]["results"] > 0
        assert client.get(f"/v1/features/{user}").json()["found"] == "unknown"
        assert client.get(f"/v1/recommendations/{user}").json()["rung"] == "popular"
        assert user not in snapshot.published.rows
        assert client.get(f"/v1/recommendations/{other}").json()["source"] == "published"
        assert not events.since(running.app.state.service.engine, datetime(1995, 1, 1, tzinfo=UTC))
