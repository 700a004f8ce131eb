"""The client before the real service, and before a network that fails in every way."""

import asyncio
import inspect
import runpy
from pathlib import Path

import httpx
import pytest

from recsys import client as package
from recsys.client import (
    AsyncClient,
    BusyError,
    Client,
    ClientError,
    DownError,
    InvalidError,
    NotFoundError,
    Policy,
    TooSlowError,
    UnauthorisedError,
    UnreachableError,
    UnreadableError,
)

ROOT = Path(__file__).parent.parent.parent
AT_ONCE = Policy(retries=2, first_wait=0.001)
READY = {"status": "ready", "release": "r1", "lineage_key": "k1"}


class Network:
    """Answers one after the other; an exception is one that breaks."""

    def __init__(self, *outcomes):
        self.outcomes, self.seen = list(outcomes), []

    def __call__(self, request):
        self.seen.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def bodies(self):
        return [request.content for request in self.seen]


def told(status, code="x", message="no", **headers):
    body = {"error": {"type": code, "code": code, "message": message, "fix": "do this"}}
    return httpx.Response(status, json=body, headers=headers)


def plain(network, policy=AT_ONCE, **more):
    return Client("http://shop", transport=httpx.MockTransport(network), policy=policy, **more)


@pytest.fixture(scope="module")
def tailor(served):
    with Client(served.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def user(tailor, served):
    return next(iter(served.app.state.serving._current.snapshot.published.rows))


@pytest.mark.spark
def test_every_call_gives_a_typed_answer_of_the_real_service(tailor, user):
    listed = tailor.recommendations(user, k=5, explain=True)
    assert [place.rank for place in listed.items] == [1, 2, 3, 4, 5]
    assert listed.release == tailor.ready().release
    items = [place.item_id for place in listed.items]
    fewer = tailor.recommendations(user, k=5, exclude=items[:2])
    assert not set(items[:2]) & {place.item_id for place in fewer.items}
    both = tailor.recommendations_of([user, "stranger"], k=3)
    assert [each.user for each in both.results] == [user, "stranger"]
    assert tailor.similar(items[0], k=2).items[0].item_id != items[0]
    assert {place.item_id for place in tailor.rerank(user, items).items} == set(items)
    assert sum(o.probability for o in tailor.preference(user, items).options) == pytest.approx(1)
    assert tailor.features(user).views["user_history"].outcome == "fresh"
    assert tailor.profile(user).profile


@pytest.mark.spark
def test_a_purchase_is_the_same_one_twice(tailor, served):
    at = served.app.state.serving._current.snapshot.lookup.clock()
    item = tailor.recommendations("nobody", k=1).items[0].item_id
    first = tailor.purchase("client-shopper", item, event_id="client-1", at=at)
    again = tailor.purchase("client-shopper", item, event_id="client-1", at=at)
    assert (first.outcome, again.event_id) == ("applied", "client-1")
    known = tailor.features("client-shopper").views["user_history"].values
    assert known["item_ids"] == [item]
    assert tailor.erase("client-shopper").status in {"erased", "waiting"}


@pytest.mark.spark
def test_what_the_service_refuses_is_an_error_that_says_why(tailor, user):
    with pytest.raises(NotFoundError, match="no item 'none'") as caught:
        tailor.similar("none")
    assert (caught.value.status, caught.value.code) == (404, "unknown_item")
    assert len(caught.value.request_id) >= 8
    with pytest.raises(InvalidError):
        tailor.recommendations(user, k=10_000)
    with pytest.raises(NotFoundError):
        tailor.profile("nobody/at all")


@pytest.mark.spark
def test_the_awaited_client_answers_many_at_once(served, user):
    async def ask():
        async with AsyncClient(served.url, timeout=30) as tailor:
            lists = [tailor.recommendations(user, k=3) for _ in range(5)]
            return await asyncio.gather(*lists, tailor.features(user))

    *lists, features = asyncio.run(ask())
    assert len({each.model_dump_json() for each in lists}) == 1
    assert features.user == user


def test_a_busy_service_is_tried_again_and_then_answers():
    network = Network(told(429, **{"Retry-After": "0"}), told(503), httpx.Response(200, json=READY))
    with plain(network) as tailor:
        assert tailor.ready().release == "r1"
    assert len(network.seen) == 3


def test_a_purchase_that_was_cut_off_is_sent_again_as_the_same():
    answer = httpx.Response(200, json={"event_id": "e", "outcome": "duplicate"})
    network = Network(httpx.ReadError("cut off"), answer)
    with plain(network) as tailor:
        assert tailor.purchase("u", "i").outcome == "duplicate"
    assert network.bodies[0] == network.bodies[1]


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (told(429, **{"Retry-After": "0"}), BusyError),
        (told(503), DownError),
        (httpx.Response(502, text="<html>bad gateway</html>"), DownError),
        (httpx.ConnectError("refused"), UnreachableError),
        (httpx.ReadTimeout("slow"), TooSlowError),
    ],
)
def test_what_does_not_pass_is_raised_after_the_last_try(outcome, kind):
    network = Network(*[outcome] * 3)
    with plain(network) as tailor, pytest.raises(kind) as caught:
        tailor.ready()
    assert len(network.seen) == 3
    assert "http://shop/readyz" in str(caught.value)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (told(401), UnauthorisedError),
        (told(404), NotFoundError),
        (told(422), InvalidError),
        (told(500), DownError),
        (told(429, **{"Retry-After": "3600"}), BusyError),  # that long nobody waits
        (httpx.Response(200, text="hello"), UnreadableError),
        (httpx.Response(200, json={"other": 1}), UnreadableError),
    ],
)
def test_what_would_be_the_same_again_is_not_tried_again(outcome, kind):
    network = Network(outcome)
    with plain(network) as tailor, pytest.raises(kind):
        tailor.ready()
    assert len(network.seen) == 1


def test_waits_grow_and_keep_to_what_the_server_asks_for():
    policy = Policy(retries=3, first_wait=0.1, longest_wait=5)
    broken = httpx.ConnectError("x")
    waits = [policy.wait(tried, broken) for tried in range(4)]
    assert all(0.05 * 2**n <= wait <= 0.1 * 2**n for n, wait in enumerate(waits[:3]))
    assert waits[3] is None
    assert policy.wait(0, told(503, **{"Retry-After": "2"})) == 2
    assert policy.wait(0, told(503, **{"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"})) < 1


def test_the_awaited_client_follows_the_same_policy():
    network = Network(told(503), httpx.ConnectError("x"), httpx.Response(200, json=READY))

    async def ask():
        transport = httpx.MockTransport(network)
        async with AsyncClient("http://shop", transport=transport, policy=AT_ONCE) as tailor:
            return await tailor.ready()

    assert asyncio.run(ask()).release == "r1"
    assert len(network.seen) == 3


def test_ids_and_keys_stand_where_they_belong():
    network = Network(httpx.Response(404, json={}))
    with plain(network, key="secret") as tailor, pytest.raises(NotFoundError) as caught:
        tailor.features("a/b?c")
    assert network.seen[0].url.raw_path == b"/v1/features/a%2Fb%3Fc"
    assert network.seen[0].headers["authorization"] == "Bearer secret"
    assert "secret" not in str(caught.value)


def test_both_clients_have_the_same_calls():
    def calls(kind):
        members = inspect.getmembers(kind, inspect.isfunction)
        return {n: inspect.signature(f) for n, f in members if not n.startswith("_")}

    assert calls(Client) == calls(AsyncClient)
    assert all(inspect.iscoroutinefunction(getattr(AsyncClient, name)) for name in calls(Client))


def test_every_error_is_of_one_tree_and_exported():
    tree = {n for n in package.__all__ if n.endswith("Error")}
    assert all(issubclass(getattr(package, name), ClientError) for name in tree)
    assert package.__all__ == sorted(package.__all__)


def test_the_page_of_the_client_is_what_the_code_says():
    made = runpy.run_path(str(ROOT / "docs" / "client_page.py"))["client"]()
    assert (ROOT / "docs" / "client.md").read_text(encoding="utf-8") == made, "run `make docs`"
