"""`tailor benchmark features`: how long raw files take to the online store, and one day more."""

import argparse
import json
from pathlib import Path
from typing import Any

from recsys import environment
from recsys.cli.output import errors, out, table
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("benchmark", help="measure speed and memory, apart from the home")
    command = group.add_subparsers(required=True).add_parser(
        "features", help="time raw files to the online store, a further day, and look-ups"
    )
    for name, what in (("reviews", "purchases"), ("items", "products")):
        command.add_argument(
            f"--{name}", nargs="+", type=Path, metavar="FILE", required=True,
            help=f"raw files of {what}, gz or plain",
        )  # fmt: skip
    command.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file")
    command.set_defaults(run=_features)


def _features(args: argparse.Namespace, _settings: Settings) -> int:
    from recsys.benchmark.features import measure

    environment.check()
    figures = measure(args.reviews, args.items, lambda line: errors().print(line))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        out().print(f"wrote {out().escape(str(args.json))}", soft_wrap=True)
    rows = [(name.replace("_", " "), f"{value:,}") for name, value in figures.items()]
    table("Features", ("", "figure"), rows, right=("figure",))
    return 0
