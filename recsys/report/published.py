"""Reports of releases: under the release's own name, with the history as it is now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from recsys.artifacts import Releases
from recsys.errors import ArtifactError
from recsys.report import evidence
from recsys.report.build import JSON, content_of, write
from recsys.report.shoppers import Gains, read_gains
from recsys.tables import read_json

KIND, FOLDER = "report", "reports"


@dataclass(frozen=True)
class ReleaseReport:
    """What the report of a release says, and its shoppers' gains."""

    release: str
    content: dict[str, Any]
    folder: Path

    @property
    def gains(self) -> Gains | None:
        """NDCG by shopper and method; None where it was not kept."""
        return read_gains(self.folder)


def open_report(releases: Releases, release_id: str | None = None) -> ReleaseReport:
    """Open the report of a release, by default of the live one; its files are checked."""
    if release_id is None:
        serving = releases.serving()
        release, artifacts = serving.release, serving.artifacts
        made = artifacts.get(KIND)
    else:
        release = releases.read(release_id)
        version = release.lineage.get(KIND)
        made = releases.store.open(KIND, version) if version else None
    if made is None:
        raise ArtifactError(
            "it has no report", where=f"release {release.id}", fix="`tailor run --from report`"
        )
    return ReleaseReport(release.id, read_json(made.path / JSON), made.path)


def refreshed(report: ReleaseReport, engine: Engine) -> dict[str, Any]:
    """Put the release's name and the history of now into the content."""
    told = report.content
    run = told["run"] | {"release": report.release}
    more = dict(told.get("more", {}))
    history = evidence.trend(engine)
    if history:
        more["trend"] = history
    return content_of(told["evaluation"], run, told["examples"], more)


def save(content: dict[str, Any], page: Path) -> Path:
    """Write the page, and the figures beside it; returns where the figures are."""
    figures = page.with_suffix(".json")
    page.parent.mkdir(parents=True, exist_ok=True)
    write(content, page, figures)
    return figures
