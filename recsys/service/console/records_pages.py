"""Pages about what was published and what happened; they need no release to be loaded."""

from typing import Annotated

from recsys.errors import extra
from recsys.service import schemas
from recsys.service.console import records
from recsys.service.console.errors import PageRoute
from recsys.service.console.render import page
from recsys.service.console.session import reader
from recsys.settings import Settings

with extra("serve"):
    from fastapi import APIRouter, Depends, Query, Request, Response
    from starlette.exceptions import HTTPException

router = APIRouter(route_class=PageRoute, dependencies=[Depends(reader)])

# the report is one file with its style inside, and a policy of its own
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def settings_of(request: Request) -> Settings:
    """The settings of the service."""
    settings: Settings = request.app.state.settings
    return settings


Tree = Annotated[Settings, Depends(settings_of)]
Id = Annotated[schemas.Id, Query()]


@router.get("/releases")
def releases(request: Request, settings: Tree) -> Response:
    """List the releases."""
    refused = dict(request.app.state.serving.refused)
    rows = records.releases_of(settings)
    return page(request, "releases.html", rows=rows, refused=refused)


@router.get("/release")
def release(request: Request, settings: Tree, id: Id) -> Response:  # noqa: A002
    """Tell of a release, after checking its files."""
    row = records.release_of(settings, id)
    damage = records.damage_of(settings, id)
    return page(request, "release.html", row=row, damage=damage)


@router.get("/report")
def report(settings: Tree, id: Id) -> Response:  # noqa: A002
    """Hand out a release's report."""
    file = records.report_file(settings, id)
    if file is None:
        raise HTTPException(404, f"release {id} has no report")
    headers = {"Content-Security-Policy": REPORT_POLICY}
    return Response(file.read_bytes(), media_type="text/html", headers=headers)


@router.get("/reports")
def reports(request: Request, settings: Tree) -> Response:
    """Show the reports and how their figures went."""
    rows, trends = records.reports_of(settings)
    return page(request, "reports.html", rows=rows, trends=trends)


@router.get("/quality")
def quality(request: Request, settings: Tree) -> Response:
    """Show what was measured last."""
    return page(request, "quality.html", quality=records.quality_of(settings))


@router.get("/runs")
def runs(request: Request, settings: Tree) -> Response:
    """List the runs."""
    return page(request, "runs.html", rows=records.runs_of(settings))


@router.get("/run")
def run(request: Request, settings: Tree, id: Id) -> Response:  # noqa: A002
    """Tell of one run."""
    rows = [row for row in records.runs_of(settings) if row.id == id]
    if not rows:
        raise HTTPException(404, f"no run {id[:80]!r} among the latest")
    return page(request, "run.html", row=rows[0], refused=records.refused_in(settings, id))
