"""The quality watch in the pipeline: it notes, it compares, and it stops what is unusual."""

import pytest

from recsys.cli.app import main
from recsys.results import database, quality
from recsys.settings import load
from tests.conftest import Home

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_a_published_run_has_noted_what_it_measured(home: Home) -> None:
    found = quality.latest(database.of(load()))
    assert {"user_purchase_stats", "user_history", "item_stats", "user_embedding", "purchases"} <= {
        check.view for check in found
    }
    assert not [check for check in found if check.breached]
    # nothing was live before, so nothing could be compared
    assert home.result.artifacts["quality"].manifest.metrics["compared"] is False


def test_a_breach_stops_the_run_and_leaves_the_live_release(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILOR_FEATURES__QUALITY__LEAST_ROWS", "140")
    live = (home.path / "releases" / "current").read_text()
    assert main(["run", "--from", "quality"]) == 1
    assert "item_stats: rows is " in (said := capsys.readouterr().err)
    assert "limit 140" in said
    assert (home.path / "releases" / "current").read_text() == live
    broken = [check for check in quality.latest(database.of(load())) if check.breached]
    assert {(check.view, check.measure, check.bound) for check in broken} == {
        ("item_stats", "rows", 140.0)
    }


def test_a_breach_is_only_told_where_the_setting_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_FEATURES__QUALITY__LEAST_ROWS", "140")
    monkeypatch.setenv("TAILOR_FEATURES__QUALITY__STOPS", "false")
    assert main(["run", "--from", "quality", "--until", "quality"]) == 0
    assert [check.view for check in quality.latest(database.of(load())) if check.breached] == [
        "item_stats"
    ]


def test_the_same_features_are_no_drift_from_the_live_release(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("MAX_PSI", "MAX_KS"):
        monkeypatch.setenv(f"TAILOR_FEATURES__QUALITY__{limit}", "0.0001")
    assert main(["run", "--from", "quality", "--until", "quality"]) == 0
    compared = [check for check in quality.latest(database.of(load())) if check.measure == "psi"]
    assert len(compared) > 20
    assert max(check.value for check in compared) == 0
