"""`tailor report [RELEASE]` and `tailor report diff A B`."""

import argparse
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.artifacts import ArtifactStore, Releases
from recsys.cli.output import as_json, out, table
from recsys.errors import SettingsError
from recsys.settings import Settings

DIFF = "diff"


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "report",
        help="the report of a release as a page, or what changed between two (`diff A B`)",
    )
    command.add_argument(
        "words",
        nargs="*",
        metavar="RELEASE | diff A B",
        help="its id (default: the live one); after `diff`, two of them",
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="where to write the page; the figures go beside it as .json "
        "(default: reports/RELEASE.html in the home)",
    )
    command.add_argument("--open", action="store_true", help="show the page in a browser")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_report)


def _report(args: argparse.Namespace, settings: Settings) -> int:
    releases = Releases(ArtifactStore(settings.home))
    if args.words[:1] == [DIFF]:
        return _diff(args, releases)
    if len(args.words) > 1:
        raise SettingsError(
            f"one release, not {len(args.words)}", where="tailor report", fix="`report diff A B`"
        )
    return _show(args, settings, releases)


def _show(args: argparse.Namespace, settings: Settings, releases: Releases) -> int:
    from recsys.report.published import FOLDER, open_report, refreshed, save
    from recsys.results import database

    report = open_report(releases, args.words[0] if args.words else None)
    page = args.out or releases.store.home / FOLDER / f"{report.release}.html"
    content = refreshed(report, database.of(settings))
    try:
        figures = save(content, page)
    except OSError as error:
        raise SettingsError(
            f"can't be written: {error.strerror}", where=f"--out {page}", fix="name another file"
        ) from error
    verdict = content["verdict"]
    if args.json:
        told = {"release": report.release, "page": str(page), "figures": str(figures)}
        as_json(told | {"ship": verdict["ship"], "verdict": verdict["text"]})
    else:
        out().print(f"[bold]{out().escape(verdict['text'])}[/]", soft_wrap=True)
        out().print(out().escape(verdict["evidence"]), soft_wrap=True)
        for check in verdict["checks"]:
            mark = "[green]✓[/]" if check["passed"] else "[red]✗[/]"
            out().print(f"  {mark} {out().escape(check['text'])}", soft_wrap=True)
        out().print(f"report: {out().escape(str(page))}", soft_wrap=True)
    if args.open:
        webbrowser.open(page.resolve().as_uri())
    return 0


def _diff(args: argparse.Namespace, releases: Releases) -> int:
    from recsys.report.compare import compare
    from recsys.report.published import open_report

    if len(args.words) != 3:
        raise SettingsError(
            "two releases are needed", where="tailor report diff", fix="`tailor release list`"
        )
    told = compare(*(open_report(releases, name) for name in args.words[1:]))
    if args.json:
        as_json(told)
    else:
        _show_diff(told)
    return 0


def _show_diff(told: Mapping[str, Any]) -> None:
    for name, verdict in zip((told["before"], told["after"]), told["verdicts"], strict=True):
        out().print(f"[dim]{name}[/] {out().escape(verdict)}", soft_wrap=True)
    pairs = told["paired_shoppers"]
    table(
        f"NDCG, paired over {pairs:,} shoppers" if pairs else "NDCG, on different purchases",
        ("method", "before", "", "after", "", "difference", ""),
        [
            (
                one["method"],
                _number(one["before"]),
                _between(one["before_ci"]),
                _number(one["after"]),
                _between(one["after_ci"]),
                f"{one['paired']['difference']:+.4f}" if one["paired"] else "",
                _between(one["paired"]["ci"], "+") if one["paired"] else "",
            )
            for one in told["figures"]
        ],
    )
    table(
        "What serves, by slice",
        ("slice", "before", "", "after", ""),
        [
            (
                one["slice"],
                _number(one["before"]),
                _between(one["before_ci"]),
                _number(one["after"]),
                _between(one["after_ci"]),
            )
            for one in told["slices"]
        ],
    )
    for title in ("decision", "settings", "lineage"):
        if told[title]:
            rows = [(key, then, now) for key, (then, now) in told[title].items()]
            table(title.capitalize(), ("", "before", "after"), rows)
        else:
            out().print(f"[dim]{title}: nothing changed[/]")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _between(bounds: Sequence[float] | None, sign: str = "") -> str:
    return "" if bounds is None else f"{bounds[0]:{sign}.4f} to {bounds[1]:{sign}.4f}"
