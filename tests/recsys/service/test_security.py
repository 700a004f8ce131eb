"""Who may call, how much, and what is never told."""

from datetime import UTC, datetime, timedelta

import pytest

from recsys.cli import main
from recsys.results import database, keys
from recsys.results.errors import ResultsError
from recsys.results.keys import Scope
from recsys.service import edge
from recsys.service.auth import Keys, is_loopback, keys_needed
from recsys.service.breaker import Breaker
from recsys.service.config import BreakerSettings, LimitSettings, ServiceSettings
from recsys.service.errors import ServiceError
from recsys.service.filters import Stock
from recsys.service.limits import Rates
from recsys.service.naming import Names


@pytest.fixture
def engine(tmp_path):
    engine = database.connect(database.sqlite_url(tmp_path / "results.db"))
    database.upgrade(engine)
    return engine


def test_keys_are_needed_unless_bound_to_this_machine():
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost")] == [True] * 3
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "shop.example"))
    assert keys_needed(ServiceSettings(host="0.0.0.0"))
    assert not keys_needed(ServiceSettings())
    assert keys_needed(ServiceSettings(keys="always"))


def test_a_key_is_kept_as_a_digest_and_ends_when_it_should(engine):
    key = keys.create(engine, "shop", Scope.READ)
    assert key not in str(keys.every(engine))
    now = [0.0]
    known = Keys(engine, 1, lambda: now[0])
    assert known.find(key).name == "shop"
    assert known.find(key + "x") is None
    (kept,) = keys.every(engine)
    other = keys.rotate(engine, kept.id, datetime.now(UTC) + timedelta(hours=1))
    now[0] += 2
    assert known.find(key)  # both work until the old one ends
    assert known.find(other)
    keys.revoke(engine, kept.id)
    now[0] += 2
    assert known.find(key) is None
    assert known.find(other)
    ended = keys.create(engine, "ended", Scope.READ, datetime.now(UTC) - timedelta(seconds=1))
    now[0] += 2
    assert known.find(ended) is None
    with pytest.raises(ResultsError, match="no key"):
        keys.revoke(engine, "nothing")


def test_each_key_may_do_what_its_scope_says(own, monkeypatch, capsys):
    monkeypatch.setenv("TAILOR_HOME", str(own.home))
    made = {}
    for scope in ("read", "write", "admin"):
        assert main(["keys", "create", scope, "--scope", scope]) == 0
        made[scope] = capsys.readouterr().out.strip()
    assert main(["keys", "list"]) == 0
    assert not any(key in capsys.readouterr().out for key in made.values())
    with own(keys="always") as running:
        client = running.client
        assert client.get("/healthz").status_code == 200
        told = client.get("/v1/recommendations/u")
        assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")
        event = {
            "event_id": "1",
            "user": "u",
            "item": "i",
            "event_timestamp": "2024-01-01T00:00:00Z",
        }
        allowed = {"read": [200, 403, 403], "write": [200, 201, 403], "admin": [200, 200, 200]}
        for scope, expected in allowed.items():
            bearer = {"Authorization": f"Bearer {made[scope]}"}
            assert [
                client.get("/v1/recommendations/u", headers=bearer).status_code,
                client.post("/v1/events", json=event, headers=bearer).status_code,
                client.delete("/v1/users/u", headers=bearer).status_code,
            ] == expected
        assert client.get("/v1/features/u", headers={"X-Api-Key": made["read"]}).status_code == 200
        assert client.get("/metrics").status_code == 401


def test_a_caller_who_asks_too_often_is_sent_away_for_a_while():
    now = [0.0]
    rates = Rates(LimitSettings(rate=2, burst=3), lambda: now[0])
    for _ in range(3):
        rates.take("a")
    with pytest.raises(ServiceError) as refused:
        rates.take("a")
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    rates.take("b")  # a noisy neighbour is nobody else's trouble
    now[0] = 0.5
    rates.take("a")


def test_a_breaker_leaves_a_part_alone_and_tries_it_again_once():
    now = [0.0]
    breaker = Breaker(BreakerSettings(failures=2, seconds=10), lambda: now[0])
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now[0] = 10.0
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.succeeded()
    assert breaker.allows()


def test_the_stock_is_read_when_it_changes_and_a_lost_file_changes_nothing(tmp_path):
    path = tmp_path / "gone.txt"
    stock = Stock(path)
    assert stock.gone == frozenset()
    path.write_text("a\n b \n\n")
    assert stock.gone == {"a", "b"}
    path.unlink()
    assert stock.gone == {"a", "b"}


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/v1/recommendations/u", {"params": {"k": 100_000}}, 422),
        ("GET", "/v1/recommendations/" + "u" * 300, {}, 422),
        ("GET", "/v1/recommendations/a%0d%0aSet-Cookie:x", {}, 422),
        ("GET", "/v1/recommendations/..%2f..%2fetc%2fpasswd", {}, 404),
        ("GET", "/v1/recommendations/' OR 1=1 --", {}, 200),
        ("GET", "/v1/recommendations/u", {"params": {"exclude": ["x"] * 1_000}}, 422),
        ("POST", "/v1/rerank", {"json": {"user": "u", "items": ["i"], "more": 1}}, 422),
        ("POST", "/v1/rerank", {"content": b"x" * 2_000_000}, 413),
        (
            "POST",
            "/v1/rerank",
            {"content": b"{", "headers": {"content-type": "application/json"}},
            422,
        ),
        ("PUT", "/v1/rerank", {}, 405),
        ("GET", "/no/such", {}, 404),
    ],
)
def test_what_can_not_be_answered_is_refused_in_one_shape(client, method, path, more, status):
    told = client.request(method, path, **more)
    assert told.status_code == status
    assert told.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert "access-control-allow-origin" not in told.headers
    if status != 200:
        error = told.json()["error"]
        assert error.keys() == {"type", "code", "message", "fix"}
        assert "Traceback" not in told.text


def test_a_page_can_not_make_its_own_name_lead_to_this_machine(client):
    rebound = {"Host": "evil.example:8000"}
    assert client.get("/v1/recommendations/u", headers=rebound).status_code == 403
    assert client.get("/v1/recommendations/u", headers={"Host": "localhost"}).status_code == 200


def test_a_request_id_is_kept_if_it_is_one_and_made_if_not(client):
    kept = client.get("/healthz", headers={"X-Request-Id": "shop-0001.a"})
    assert kept.headers["x-request-id"] == "shop-0001.a"
    made = client.get("/healthz", headers={"X-Request-Id": "a b <script>"})
    assert made.headers["x-request-id"].isalnum()


def test_a_shopper_is_named_in_the_log_by_a_hash_of_this_home_unless_set_otherwise(
    client, monkeypatch, tmp_path
):
    told = {}
    monkeypatch.setattr(
        edge.log, "debug", lambda *_, **more: told.update({more["id"]: more}), raising=False
    )
    for once in "request-1", "request-2":
        client.get("/v1/recommendations/somebody", headers={"X-Request-Id": once})
    client.get("/healthz")  # a request is told of once it is sent, before the next one
    name = told["request-1"]["user"]
    assert name == told["request-2"]["user"] != "somebody"
    assert "somebody" not in str(told)
    assert Names(tmp_path, hidden=False).of("somebody") == "somebody"
    other = Names(tmp_path, hidden=True).of("somebody")
    assert other not in {name, Names(tmp_path / "none", hidden=True).of("somebody")}
    assert (tmp_path / "log.key").stat().st_mode & 0o077 == 0


def test_numbers_for_prometheus(client):
    client.get("/v1/recommendations/nobody")
    told = client.get("/metrics").text
    assert 'tailor_answers_total{from="live",rung="popular",why="no_history"}' in told
    assert 'route="/v1/recommendations/{user}"' in told
    assert "tailor_release_age_seconds" in told
