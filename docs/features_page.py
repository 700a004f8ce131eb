"""Write docs/features.md from the feature views: every feature, its meaning, window and source.

`make docs` runs it; a test fails when the file is not what this would write.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "features.md"


def features() -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Features",
            "",
            "Made from the code by `make docs`; don't edit by hand.",
            "",
            "Every view holds, per shopper or item, what was known at `event_timestamp`: rows with",
            "an event before it that had become known before it. A window reaches back from there.",
            "Times are UTC. Offline each view is a folder of Parquet files; `tailor lookup` reads",
            "the online store.",
            "",
            *_views(),
        ]
    )


def _views() -> Iterator[str]:
    from features.repo.meanings import MEANINGS
    from features.repo.views import SPECS

    for name, spec in SPECS.items():
        yield f"## `{name}`"
        yield ""
        yield f"Per {spec.entity}: {spec.description}."
        yield ""
        yield "| feature | type | meaning | window | source |"
        yield "|---|---|---|---|---|"
        for column, kind in spec.columns.items():
            told = MEANINGS[name][column]
            yield f"| `{column}` | {kind} | {told.meaning} | {told.window} | {told.source} |"
        yield ""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    TARGET.write_text(features(), encoding="utf-8")
