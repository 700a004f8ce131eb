"""`tailor release list | show | rollback`."""

import argparse
from dataclasses import asdict
from typing import Any

from recsys.artifacts import ArtifactStore, Releases
from recsys.cli.output import as_json, errors, out, table
from recsys.errors import ArtifactError
from recsys.pipeline.lock import exclusive
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("release", help="published releases").add_subparsers(required=True)
    listing = group.add_parser("list", help="all releases, newest first")
    showing = group.add_parser("show", help="one release: lineage, figures, whether it is intact")
    showing.add_argument("release", nargs="?", help="its id (default: the live one)")
    back = group.add_parser("rollback", help="serve an earlier release")
    back.add_argument("release", nargs="?", help="its id (default: the one before the live one)")
    for command, run in ((listing, _list), (showing, _show), (back, _rollback)):
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)


def _releases(settings: Settings) -> Releases:
    return Releases(ArtifactStore(settings.home))


def _state(releases: Releases, release_id: str) -> str:
    try:
        releases.open(release_id)
    except ArtifactError as error:
        return f"refused: {error}"
    if release_id == releases.live():
        return "live"
    return "intact" if releases.finished(release_id) else "not finished"


def _list(args: argparse.Namespace, settings: Settings) -> int:
    releases = _releases(settings)
    rows = [
        {"release": release_id, "state": _state(releases, release_id)}
        for release_id in reversed(releases.ids())
    ]
    if args.json:
        as_json(rows)
    elif rows:
        table("Releases", ("release", "state"), [(row["release"], row["state"]) for row in rows])
    else:
        out().print("nothing has been published yet; `tailor run` does")
    return 0


def _show(args: argparse.Namespace, settings: Settings) -> int:
    releases = _releases(settings)
    release = releases.read(args.release or releases.live() or releases.serving().release.id)
    state = _state(releases, release.id)
    if args.json:
        as_json({**asdict(release), "lineage_key": release.key, "state": state})
    else:
        table(
            f"Release {release.id} ({state})",
            ("part", "version"),
            [
                ("data cut", release.data_cut),
                ("lineage key", release.key),
                *release.lineage.items(),
            ],
        )
        table("Headline", ("figure", "value"), release.headline.items())
    return 1 if state.startswith("refused") else 0


def _rollback(args: argparse.Namespace, settings: Settings) -> int:
    releases = _releases(settings)
    with exclusive(releases.store.home):
        was, release = releases.live(), releases.rollback(args.release)
    if args.json:
        as_json({"was": was, "live": release.id})
    else:
        errors().print(f"was {was}")
        out().print(f"live: {release.id}")
    return 0
