import pytest

from features.daily import advance
from recsys.rehearsal import rehearse
from tests import tiny

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_the_rehearsal_goes_from_raw_files_to_a_day_more(spark, tmp_path, monkeypatch):
    written = []

    def noting(step, views, settings, out):
        advance(step, views, settings, out)
        written.extend(sorted(path.name for path in (out / "serve").iterdir()))

    monkeypatch.setattr("recsys.rehearsal.advance", noting)
    rehearse(spark, tiny.settings(tmp_path))
    assert written == sorted(
        ["co_purchases", "item_days", "item_stats", "together", "transitions",
         "user_history", "user_purchase_stats"]
    )  # fmt: skip
