"""The console's main way in a browser: find, read, imagine, report; wide and narrow."""

import pytest

from tests.conftest import browser

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=browser(), args=list(QUIET))
        yield started
        started.close()


@pytest.fixture(params=[(1280, "light"), (375, "dark")], ids=["wide, light", "narrow, dark"])
def page(request, chromium, served):
    width, scheme = request.param
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=served.url
    )
    opened = context.new_page()
    opened.complaints = []
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("requestfailed", lambda request: opened.complaints.append(request.url))
    yield opened
    assert opened.complaints == []
    context.close()


def check(page) -> None:
    """Nothing sticks out at the side; contrast, labels, order and names are as they should be."""
    from axe_playwright_python.sync_playwright import Axe

    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"{page.url} is {wide} pixels too wide"
    found = Axe().run(page).response
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert any(each["id"] == "color-contrast" for each in found["passes"])


@pytest.mark.spark
@pytest.mark.chromium
def test_find_read_imagine_report(page):
    page.goto("/console")
    user = page.locator("ul.shoppers a").first.inner_text()
    page.get_by_label("Shopper's id, or its beginning").fill(user[:10])
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    check(page)

    page.get_by_role("link", name=user).first.click()
    assert page.get_by_role("heading", level=1).inner_text() == user
    page.locator("summary", has_text="purchases, the latest first").click()
    page.locator("summary", has_text="user_purchase_stats").click()
    assert page.locator("svg.slope:visible").count() == 1
    assert page.locator("svg.timeline:visible").count() == 1
    check(page)

    page.get_by_role("link", name="why").first.click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Why ")
    check(page)
    page.go_back()

    page.get_by_role("link", name="What if…").click()
    page.get_by_label("She buys: words of a title, or an id").fill("a")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Add").first.click()
    assert page.get_by_role("button", name="Remove").count() == 1
    page.get_by_label("Her profile").fill("Buys tea and nothing else.")
    page.get_by_role("button", name="Compute").click()
    assert "The list would" in page.locator("#result h2").inner_text()
    assert page.locator("#result svg.slope:visible").count() == 1
    check(page)

    page.get_by_role("link", name="Reports").click()
    assert page.locator("svg.spark").count() > 2
    check(page)
    page.get_by_role("link", name="open").first.click()
    assert "Report of" in page.title()


@pytest.mark.spark
@pytest.mark.chromium
@pytest.mark.parametrize(
    "path", ["/items?q=a", "/releases", "/quality", "/runs", "/shopper?id=stranger", "/sign-in"]
)
def test_the_other_pages_hold_up_too(page, path):
    page.goto(f"/console{path}")
    check(page)


@pytest.mark.spark
@pytest.mark.chromium
def test_the_keyboard_is_enough(page):
    page.goto("/console/items")
    page.locator("body").press("Tab")  # from the field that has the focus
    page.get_by_role("link", name="Runs").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/runs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto("/console/items")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
