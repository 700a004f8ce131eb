"""The console behind keys: sign in, read, sign out; what a key must not open."""

import pytest
from fastapi.testclient import TestClient

from recsys.results import database, keys
from recsys.service.app import create_app
from recsys.settings import Settings


@pytest.fixture
def engine(tmp_path):
    engine = database.of(Settings(home=tmp_path / "home"))
    database.upgrade(engine)
    return engine


@pytest.fixture
def browser(engine, tmp_path):
    """A browser before a service that demands keys; nothing is published in its home."""
    settings = Settings(home=tmp_path / "home", service={"keys": "always", "poll_seconds": 0.001})
    with TestClient(create_app(settings), base_url="https://shop.example") as client:
        yield client


def sign_in(browser, key, **more):
    form = {"key": key, "next": "/console/runs"} | more
    return browser.post("/console/sign-in", data=form, follow_redirects=False)


@pytest.mark.parametrize("path", ["", "/shopper?id=x", "/runs", "/report?id=x", "/anybody"])
def test_without_a_key_every_page_leads_to_the_sign_in(browser, path):
    answer = browser.get(f"/console{path}", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/sign-in?next=%2Fconsole")


def test_a_reader_signs_in_reads_and_signs_out(browser, engine):
    key = keys.create(engine, "anna", keys.Scope.READ)
    answer = sign_in(browser, key)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/runs")
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "secure", "path=/console"))
    assert "No run yet" in browser.get("/console/runs").text
    assert "Sign out" in browser.get("/console/runs").text
    browser.post("/console/sign-out")
    assert browser.get("/console/runs", follow_redirects=False).status_code == 303


def test_a_wrong_key_is_told_and_not_repeated(browser):
    answer = sign_in(browser, "tailor_wrong_key")
    assert answer.status_code == 401
    assert "no valid key" in answer.text
    assert "tailor_wrong_key" not in answer.text
    assert "set-cookie" not in answer.headers


def test_a_revoked_key_opens_nothing_any_more(browser, engine):
    sign_in(browser, keys.create(engine, "anna", keys.Scope.READ))
    assert browser.get("/console/runs", follow_redirects=False).status_code == 200
    keys.revoke(engine, keys.every(engine)[0].id)
    assert browser.get("/console/runs", follow_redirects=False).status_code == 303


def test_the_cookie_opens_no_endpoint(browser, engine):
    sign_in(browser, keys.create(engine, "anna", keys.Scope.ADMIN))
    assert browser.get("/metrics").status_code == 401
    assert browser.delete("/v1/users/x").status_code == 401


def test_where_no_key_is_needed_a_page_of_another_name_is_refused(tmp_path, engine):
    with TestClient(create_app(Settings(home=tmp_path / "home"))) as client:
        assert client.get("/console/runs").status_code == 200
        rebound = client.get("/console/runs", headers={"Host": "evil.example"})
        assert rebound.status_code == 403


def test_signing_in_from_elsewhere_is_refused(browser, engine):
    key = keys.create(engine, "anna", keys.Scope.READ)
    form = {"key": key}
    answer = browser.post("/console/sign-in", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_before_the_first_release_a_page_says_what_to_do(browser, engine):
    sign_in(browser, keys.create(engine, "anna", keys.Scope.READ))
    answer = browser.get("/console")
    assert answer.status_code == 503
    assert "nothing has been published yet" in answer.text
    for path, empty in {
        "/releases": "Nothing has been published yet",
        "/reports": "No report yet",
        "/quality": "Nothing was measured yet",
        "/runs": "No run yet",
    }.items():
        assert empty in browser.get(f"/console{path}").text
