"""The pipeline on inputs that are no good for it."""

import json
from pathlib import Path

import pytest

from recsys.errors import StageError
from recsys.pipeline.run import run
from recsys.pipeline.stage import RawFiles
from tests import tiny


@pytest.mark.spark
def test_strangers_alone_in_the_report_window_are_told_as_such(spark, tmp_path: Path) -> None:
    day = 86_400_000
    # one shopper throughout the time of learning; afterwards only others, never seen before
    bought = [("early", n % 30, n) for n in range(40)]
    bought += [(f"late{n}", n, 50 + n) for n in range(5)]
    reviews = [
        {
            "user_id": user,
            "parent_asin": f"B{item:03}",
            "timestamp": 1_700_000_000_000 + at * day,
            "rating": 5,
        }
        for user, item, at in bought
    ]
    items = [
        {"parent_asin": f"B{n:03}", "title": f"Thing number {n}", "categories": ["Things"]}
        for n in range(30)
    ]
    raw = RawFiles((tmp_path / "reviews.jsonl",), (tmp_path / "items.jsonl",))
    for path, rows in ((raw.reviews[0], reviews), (raw.items[0], items)):
        path.write_text("\n".join(json.dumps(row) for row in rows))
    settings = tiny.settings(tmp_path / "home")
    with pytest.raises(StageError, match="report: no shopper with a history"):
        run(settings, raw=raw)
    assert not (tmp_path / "home" / "releases" / "current").exists()
