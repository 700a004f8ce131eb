"""`tailor ingest`, `tailor run`, `tailor demo`."""

import argparse
from pathlib import Path
from typing import Any

from recsys import environment
from recsys.cli.output import as_json, out, table
from recsys.cli.progress import Display
from recsys.errors import SettingsError
from recsys.pipeline.stage import RawFiles
from recsys.pipeline.stages import STAGES
from recsys.settings import Settings

STAGE_NAMES = ", ".join([*(stage.name for stage in STAGES), "publish"])


def register(commands: Any) -> None:
    """Add the commands."""
    ingest = commands.add_parser("ingest", help="read raw files into the canonical tables")
    raw_options(ingest, required=True)
    ingest.add_argument("--json", action="store_true", help="print the counts as JSON")
    ingest.set_defaults(run=_ingest)

    run = commands.add_parser("run", help="all stages: from raw files to a published release")
    raw_options(run, required=False)
    run.add_argument(
        "--from", dest="start", metavar="STAGE", help=f"go on from this stage: {STAGE_NAMES}"
    )
    run.add_argument("--until", metavar="STAGE", help="stop after this stage")
    run.add_argument("--json", action="store_true", help="print what was done as JSON")
    run.set_defaults(run=_run)

    demo = commands.add_parser("demo", help="the whole way on the built-in shop")
    demo.set_defaults(run=_demo)


def raw_options(command: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that name raw files."""
    for name, what in (("reviews", "purchases"), ("items", "products")):
        command.add_argument(
            f"--{name}",
            nargs="+",
            action="extend",
            type=Path,
            metavar="FILE",
            required=required,
            help=f"raw files of {what}, gz or plain",
        )
    command.add_argument(
        "--format",
        default="auto",
        choices=("auto", "amazon-2014", "amazon-2018", "amazon-2023", "csv"),
        help="layout of the files (default: told from their content)",
    )


def raw_files(args: argparse.Namespace) -> RawFiles:
    """Take the raw files from those options."""
    return RawFiles(tuple(args.reviews), tuple(args.items), args.format)


def _ingest(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.run import run

    environment.check()
    raw = raw_files(args)
    with Display() as display:
        result = run(settings, raw=raw, until="ingest", observer=display)
    tables = result.artifacts["tables"]
    counts = tables.manifest.metrics
    if args.json:
        as_json({**counts, "tables": str(tables.path)})
        return 0
    _show_counts(counts)
    out().print(f"tables: {out().escape(str(tables.path))}", soft_wrap=True)
    if any(counts["quarantined"].values()):
        folder = result.home / "quarantine" / tables.version
        out().print(f"refused rows: {out().escape(str(folder))}", soft_wrap=True)
    return 0


def _show_counts(counts: dict[str, Any]) -> None:
    table(
        "Files",
        ("file", "feeds", "format"),
        [(file["path"], file["table"], file["format"]) for file in counts["files"]],
    )
    refused = [
        (f"{kind}, refused: {reason}", rows)
        for kind, reasons in counts["quarantined"].items()
        for reason, rows in reasons.items()
    ]
    rows = [
        *((f"rows of {kind} read", rows) for kind, rows in counts["rows"].items()),
        ("purchases", counts["purchases"]),
        ("shoppers", counts["users"]),
        ("items", counts["items"]),
        *(
            (f"exact duplicates of {kind}, collapsed", n)
            for kind, n in counts["duplicates"].items()
        ),
        ("item rows with other content under a known id, dropped", counts["conflicting_items"]),
        ("purchases of unknown items, kept and flagged", counts["unknown_items"]),
        ("items without a title, kept and flagged", counts["untitled_items"]),
        *(refused or [("rows refused", 0)]),
    ]
    table("Ingested", ("", "rows"), [(what, f"{n:,}") for what, n in rows], right=("rows",))
    out().print(f"from {counts['first_purchase']} to {counts['last_purchase']}")


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.run import NAMES, PUBLISH, run

    environment.check()
    if bool(args.reviews) != bool(args.items):
        raise SettingsError("give --reviews and --items together", where="tailor run")
    raw = raw_files(args) if args.reviews else None
    with Display() as display:
        result = run(
            settings,
            raw=raw,
            start=args.start or NAMES[0],
            until=args.until or PUBLISH,
            observer=display,
        )
    if args.json:
        as_json(
            {
                "release": result.release,
                "seconds": result.seconds,
                "skipped": result.skipped,
                "artifacts": {kind: str(one.path) for kind, one in result.artifacts.items()},
            }
        )
    else:
        from recsys.cli.summary import show_run

        show_run(settings, result)
    return 0


def _demo(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.cli.summary import show_demo
    from recsys.pipeline.demo import run_demo

    environment.check()
    with Display() as display:
        result = run_demo(settings, display)
    show_demo(settings, result)
    return 0
