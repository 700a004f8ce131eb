"""What a person does in Airflow's page, by headless Chromium."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def trigger_and_wait(
    chromium: str,
    flags: Sequence[str],
    page: str,
    user: str,
    password: str,
    dag: str,
    screenshot: Path,
    seconds: float,
) -> None:
    """Sign in, switch the DAG on, trigger it, wait until the page says success, take a picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(flags))
        tab = browser.new_page(viewport={"width": 1500, "height": 900})
        tab.set_default_timeout(60_000)
        tab.goto(f"{page}/auth/login")
        tab.fill("input[name=username]", user)
        tab.fill("input[name=password]", password)
        tab.click("button[type=submit]")
        tab.wait_for_url(lambda url: "/auth/login" not in url)
        tab.goto(f"{page}/dags/{dag}")
        tab.get_by_role("button", name="Trigger").first.click()
        dialog = tab.get_by_role("dialog")
        dialog.wait_for()
        dialog.get_by_role("button", name="Trigger").last.click()
        tab.wait_for_url("**/runs/*")
        _until_green(tab, seconds)
        tab.get_by_role("button", name="Show Graph").click()
        tab.wait_for_timeout(5_000)  # it is drawn in steps
        tab.screenshot(path=str(screenshot))
        browser.close()


def _until_green(tab: Any, seconds: float) -> None:
    """Look at the run again and again, as the page shows it.

    Its tasks tell their states by the same words: it is green where none says anything else.
    """
    until = time.monotonic() + seconds
    while not _says(tab, "Success") or _says(tab, "Running") or _says(tab, "Queued"):
        assert not _says(tab, "Failed"), tab.inner_text("body")[:2000]
        assert time.monotonic() < until, tab.inner_text("body")[:2000]
        tab.wait_for_timeout(3_000)
        tab.reload()
        tab.get_by_text("Task Instances").first.wait_for()
        tab.wait_for_timeout(2_000)


def _says(tab: Any, word: str) -> bool:
    return bool(tab.get_by_text(word, exact=True).count())
