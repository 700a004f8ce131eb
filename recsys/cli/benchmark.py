"""`tailor benchmark features | batch | online`: speed and memory, apart from the home."""

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
    measured = group.add_subparsers(required=True)
    features = measured.add_parser(
        "features", help="time raw files to the online store, a further day, and look-ups"
    )
    batch = measured.add_parser(
        "batch", help="score all shoppers, without and with the language model, and write the lists"
    )
    batch.add_argument(
        "--work", type=Path, metavar="HOME",
        help="a home to score in as it stands; without models, they are trained there",
    )  # fmt: skip
    online = measured.add_parser(
        "online", help="time lists under load, and count what faults break"
    )
    online.add_argument(
        "--from-home", type=Path, metavar="DIR", help="copy this home; else make one"
    )
    online.add_argument(
        "--seconds", type=float, default=60.0, metavar="N", help="load of each kind (default: 60)"
    )
    online.add_argument(
        "--minutes", type=float, default=10.0, metavar="N",
        help="load with faults, which needs redis-server; 0: none (default: 10)",
    )  # fmt: skip
    for command, run in ((features, _features), (batch, _batch), (online, _online)):
        for name, what in (("reviews", "purchases"), ("items", "products")):
            command.add_argument(
                f"--{name}", nargs="+", type=Path, metavar="FILE", required=True,
                help=f"raw files of {what}, gz or plain",
            )  # fmt: skip
        command.add_argument(
            "--json", type=Path, metavar="OUT", help="write the figures to this file"
        )
        command.set_defaults(run=run)


def _features(args: argparse.Namespace, _settings: Settings) -> int:
    from recsys.benchmark.features import measure

    environment.check()
    figures = measure(args.reviews, args.items, lambda line: errors().print(line))
    return _tell(args, "Features", figures)


def _batch(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.benchmark.batch import measure

    environment.check()
    figures = measure(
        args.reviews, args.items, settings, lambda line: errors().print(line), home=args.work
    )
    return _tell(args, "Batch", figures)


def _tell(args: argparse.Namespace, title: str, figures: dict[str, Any]) -> int:
    _write(args.json, figures)
    rows = [
        (name.replace("_", " "), "not measured" if value is None else f"{value:,}")
        for name, value in figures.items()
    ]
    table(title, ("", "figure"), rows, right=("figure",))
    return 0


def _online(args: argparse.Namespace, _settings: Settings) -> int:
    from recsys.benchmark.service.measure import measure

    environment.check()
    figures = measure(
        args.reviews,
        args.items,
        lambda line: errors().print(errors().escape(line)),
        home=args.from_home,
        seconds=args.seconds,
        minutes=args.minutes,
    )
    _write(args.json, figures)
    speed = [name for name in figures if name not in {"faults", "worker_mib"}]
    columns = ("rps", "p50_ms", "p99_ms", "errors")
    rows = [(name, *(figures[name][column] for column in columns)) for name in speed]
    table("Lists", ("", *columns), rows, right=columns)
    out().print(f"faults: {figures['faults']}; {figures['worker_mib']} MiB a worker")
    return 0


def _write(path: Path | None, figures: dict[str, Any]) -> None:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        out().print(f"wrote {out().escape(str(path))}", soft_wrap=True)
