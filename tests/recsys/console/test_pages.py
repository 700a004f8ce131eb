"""Every page over real HTTP: what it shows, what it shows where there is nothing, and errors."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

import httpx
import pytest

from recsys import results
from recsys.report.formats import NOTHING
from recsys.results import database
from recsys.service.console.records import Checked
from recsys.service.console.render import ago, figure, took
from recsys.service.console.session import inside

FIXED = ("", "/items", "/releases", "/reports", "/quality", "/runs")


@pytest.fixture(scope="module")
def browser(served):
    with httpx.Client(base_url=served.url, timeout=60, follow_redirects=True) as client:
        yield client


@pytest.fixture(scope="module")
def user(browser):
    return re.search(r"/console/shopper\?id=(\w+)", browser.get("/console").text)[1]


def said(answer) -> str:
    """The text of a page, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def release_of(browser) -> str:
    return browser.get("/readyz").json()["release"]


@pytest.mark.spark
@pytest.mark.parametrize("path", FIXED)
def test_a_page_keeps_to_itself(browser, path):
    answer = browser.get(f"/console{path}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    # all it needs comes from here, and no style or script stands inside
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", answer.text)
    assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son\w+=", answer.text)
    assert f'aria-current="page">{"" if path else "Shoppers"}' in answer.text


@pytest.mark.spark
@pytest.mark.parametrize("path", FIXED)
def test_a_page_is_found_with_a_slash_at_its_end(browser, path):
    answer = browser.get(f"/console{path}/", params={"q": "x"})
    assert answer.status_code == 200
    assert answer.url.path == f"/console{path}"
    assert answer.url.query == b"q=x"


@pytest.mark.spark
def test_a_slash_at_the_end_leads_nowhere_else(browser):
    answer = browser.get("/console//example.org/", follow_redirects=False)
    assert answer.headers["location"] == "/console//example.org"


@pytest.mark.spark
def test_a_shopper_is_found_by_the_beginning_of_her_id(browser, user):
    found = browser.get("/console", params={"q": user[:12]})
    assert f"/console/shopper?id={user}" in found.text
    nobody = browser.get("/console", params={"q": "no-such-id"})
    assert "No id of this release begins so" in said(nobody)
    anybody = browser.get("/console/anybody")
    assert anybody.url.path == "/console/shopper"


@pytest.mark.spark
def test_the_story_agrees_with_the_api(browser, user):
    told = browser.get(f"/v1/recommendations/{user}").json()
    page = browser.get("/console/shopper", params={"id": user})
    places = re.findall(r'<th scope="row" class="wide"><a href="/console/item\?id=(\w+)', page.text)
    assert places == [place["item_id"] for place in told["items"]]
    text = said(page)
    for part in ("History", "Digestion, guidance, profile", "Features", "Candidates by source"):
        assert part in text
    for view, known in browser.get(f"/v1/features/{user}").json()["views"].items():
        assert view in text
        assert known["outcome"] in text
    assert browser.get(f"/v1/profiles/{user}").json()["profile"] in text


@pytest.mark.spark
def test_a_stranger_has_a_page_that_says_so(browser):
    page = browser.get("/console/shopper", params={"id": "a stranger/<b>"})
    assert page.status_code == 200
    assert "Nothing fresh is known of this shopper" in said(page)
    assert "a stranger/<b>" in said(page)
    assert "stranger/<b>" not in page.text


@pytest.mark.spark
def test_why_adds_up(browser, user):
    item = browser.get(f"/v1/recommendations/{user}").json()["items"][0]["item_id"]
    page = browser.get("/console/why", params={"id": user, "item": item})
    assert "What adds up to the score" in said(page)
    assert browser.get("/console/why", params={"id": user, "item": "none"}).status_code == 404
    stranger = browser.get("/console/why", params={"id": "stranger", "item": item})
    assert stranger.status_code == 404


@pytest.mark.spark
def test_the_adapter_is_compared_with_anothers(browser, user):
    page = said(browser.get("/console/adapter", params={"id": user}))
    assert re.search(r"Of the first \d+ items, her adapter moves \d+", page)
    same = said(browser.get("/console/adapter", params={"id": user, "other": user}))
    assert "Name another shopper" in same


@pytest.mark.spark
def test_what_if_changes_the_page_and_nothing_else(browser, user):
    before = browser.get(f"/v1/features/{user}").json()["views"]
    listed = browser.get(f"/v1/recommendations/{user}").json()["items"]
    found = browser.post("/console/what-if", data={"id": user, "q": "a", "do": "search"})
    item = re.search(r'value="add:(\w+)"', found.text)[1]
    page = browser.post("/console/what-if", data={"id": user, "do": f"add:{item}"})
    assert "bought before, last today" in said(page) or "The list would" in said(page)
    assert f'name="add" value="{item}"' in page.text
    words = browser.post("/console/what-if", data={"id": user, "profile": "Only garden tools."})
    assert "The words take the place of her taste" in said(words)
    assert "Only garden tools." in words.text
    assert browser.get(f"/v1/features/{user}").json()["views"] == before
    assert browser.get(f"/v1/recommendations/{user}").json()["items"] == listed


@pytest.mark.spark
def test_an_imagined_purchase_gives_the_list_that_a_sent_one_gives(browser, served):
    user, item = "imagined-shopper", browser.get("/v1/recommendations/nobody").json()["items"][0]
    imagined = browser.post("/console/what-if", data={"id": user, "add": item["item_id"]})
    places = re.findall(
        r'<th scope="row" class="wide"><a href="/console/item\?id=(\w+)', imagined.text
    )
    now = served.app.state.serving._current.snapshot.lookup.clock()
    event = {
        "event_id": "imagined-1",
        "user": user,
        "item": item["item_id"],
        "event_timestamp": now.isoformat(),
    }
    assert browser.post("/v1/events", json=event).json()["outcome"] == "applied"
    sent = browser.get(f"/v1/recommendations/{user}").json()["items"]
    assert places[: len(sent)] == [place["item_id"] for place in sent]


@pytest.mark.spark
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"id": ""}, 422),
        ({"id": "x", "add": "no such item"}, 503),
        ({"id": "x", "profile": "long " * 1_000}, 503),
    ],
)
def test_what_cannot_be_imagined_is_said(browser, fields, status):
    answer = browser.post("/console/what-if", data=fields)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text


@pytest.mark.spark
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_from_elsewhere_is_refused(browser, user, headers):
    answer = browser.post("/console/what-if", data={"id": user}, headers=headers)
    assert answer.status_code == 403
    assert "did not come from a page of this console" in said(answer)


@pytest.mark.spark
def test_items_are_found_and_told(browser, user):
    item = browser.get(f"/v1/recommendations/{user}").json()["items"][0]
    found = browser.get("/console/items", params={"q": item["item_id"]})
    assert f"/console/item?id={item['item_id']}" in found.text
    page = said(browser.get("/console/item", params={"id": item["item_id"]}))
    assert "Most alike, by its words" in page
    assert browser.get("/console/item", params={"id": "none"}).status_code == 404
    assert "No item has these words" in said(browser.get("/console/items", params={"q": "zzz qqq"}))


@pytest.mark.spark
def test_a_release_is_told_with_lineage_and_report(browser):
    release = release_of(browser)
    assert release in said(browser.get("/console/releases"))
    page = said(browser.get("/console/release", params={"id": release}))
    assert all(part in page for part in ("Lineage", "hypernet", "live"))
    report = browser.get("/console/report", params={"id": release})
    assert report.status_code == 200
    assert "offline report" in report.text
    assert "script-src" not in report.headers["content-security-policy"]  # default-src 'none'
    assert browser.get("/console/release", params={"id": "none"}).status_code == 404


@pytest.mark.spark
def test_trends_need_two_reports(browser, served):
    assert "One release so far" in said(browser.get("/console/reports"))
    engine = database.of(served.app.state.settings)
    later = datetime.now(UTC) + timedelta(hours=1)
    results.record_release(engine, "later", status="published", lineage={}, at=later)
    results.record_report(engine, "later", headline={"tailor ndcg@10": 0.9}, at=later)
    try:
        page = browser.get("/console/reports")
        assert "against the one before" in said(page)
        assert 'class="trend"' in page.text
        columns = re.findall(r'<th scope="col"[^>]*>([^<]+)', page.text)
        assert columns[1] == "tailor ndcg@10"
    finally:
        results.prune(engine, 0, always=[release_of(browser)])


@pytest.mark.parametrize(
    ("measure", "value", "bound", "share"),
    [
        ("psi", 0.1, 0.4, 0.25),
        ("null share", 0.1, 0.5, 0.2),
        ("null share", 1.0, 1.0, None),  # any share will do
        ("rows", 40.0, 1.0, None),  # a least
        ("psi", 0.1, None, None),
    ],
)
def test_a_measurement_takes_up_a_share_of_what_limits_it(measure, value, bound, share):
    checked = Checked("user_history", "", measure, value, bound, breached=False, past=[])
    assert checked.share == (pytest.approx(share) if share is not None else None)


@pytest.mark.spark
def test_quality_and_runs_show_what_was_recorded(browser):
    quality = browser.get("/console/quality")
    assert re.search(r"All \d+ measurements are within their limits", said(quality))
    assert "Purchases a day" in said(quality)
    assert re.search(r"rows [\d,]+ at least 1\b", said(quality))
    assert re.search(r"null share [\d.]+ none\b", said(quality))  # has no limit, unless one is set
    assert not re.search(r"\b1 measurements", said(quality))
    runs = browser.get("/console/runs")
    run = re.search(r"/console/run\?id=([\w-]+)", runs.text)[1]
    page = said(browser.get("/console/run", params={"id": run}))
    assert "Stages" in page
    assert "hypernet" in page
    assert browser.get("/console/run", params={"id": "none"}).status_code == 404


@pytest.mark.spark
@pytest.mark.parametrize(
    "path", ["/nope", "/static/..%2frender.py", "/static/other.css", "/shopper"]
)
def test_what_is_not_there_is_a_page(browser, path):
    answer = browser.get(f"/console{path}")
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.spark
def test_any_id_has_an_address(browser):
    for user in ("a/b", "a?b&c=d", "späte ☂", "..", "%2e", "'; drop table"):
        answer = browser.get(f"/console/shopper?id={quote(user, safe='')}")
        assert answer.status_code == 200
        assert user in unescape(answer.text)


@pytest.mark.spark
def test_control_characters_are_refused(browser):
    for path in ("/shopper?id=a%0d%0ab", "/items?q=%00", "?q=a%1b[31m"):
        answer = browser.get(f"/console{path}")
        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("address", "led"),
    [
        ("/console/shopper?id=a%2Fb", "/console/shopper?id=a%2Fb"),
        ("https://elsewhere.example/console", "/console"),
        ("//elsewhere.example/console", "/console"),
        ("/\\elsewhere.example", "/console"),
        ("/consoles", "/console"),
        ("/v1/users/x", "/console"),
        ("", "/console"),
    ],
)
def test_signing_in_leads_nowhere_else(address, led):
    assert inside(address) == led


def test_numbers_are_written_for_people():
    assert [figure(x) for x in (None, True, 3, 3.0, 0.12345)] == [
        NOTHING,
        "yes",
        "3",
        "3",
        "0.1235",
    ]
    assert [ago(x) for x in (None, 0.01, 0.5, 30, 800)] == [
        NOTHING, "just now", "12 hours ago", "30 days ago", "2.2 years ago",
    ]  # fmt: skip
    assert [took(x) for x in (None, timedelta(seconds=3.21), timedelta(seconds=125))] == [
        NOTHING, "3.2 s", "2 min 5 s",
    ]  # fmt: skip
