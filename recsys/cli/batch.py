"""`tailor batch run | score`, `tailor interval run`: what Airflow schedules, by hand."""

import argparse
from datetime import UTC, datetime
from typing import Any

from recsys import environment
from recsys.cli.output import as_json, out
from recsys.cli.progress import Display
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command groups."""
    _register_interval(commands)
    group = commands.add_parser("batch", help="everybody's lists, in shards").add_subparsers(
        required=True
    )
    run = group.add_parser("run", help="score all shards that are missing, then publish the lists")
    run.add_argument("--engine", choices=("here", "spark"), default="here", help="what scores")
    run.set_defaults(run=_run)
    score = group.add_parser("score", help="score one shard, as one of several workers does")
    score.add_argument("shard", type=int, help="its number, from 0")
    score.set_defaults(run=_score)
    for command in (run, score):
        command.add_argument("--shards", type=int, metavar="N", help="how many (batch.shards)")
        command.add_argument("--json", action="store_true", help="print JSON")


def _register_interval(commands: Any) -> None:
    group = commands.add_parser("interval", help="one interval of purchases").add_subparsers(
        required=True
    )
    run = group.add_parser(
        "run", help="take it into the tables, then features, checks and the online store"
    )
    for name in ("start", "end"):
        run.add_argument(
            f"--{name}", required=True, metavar="TIME", help="ISO; UTC where it has no zone"
        )
    run.add_argument(
        "--reviews", nargs="+", default=[], metavar="FILE",
        help="files of purchases, with {start:%%Y-%%m-%%d} where they name the day "
        "(sources.reviews)",
    )  # fmt: skip
    run.add_argument("--json", action="store_true", help="print the lineage as JSON")
    run.set_defaults(run=_interval)


def _interval(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.daily import run_interval
    from recsys.pipeline.interval import Interval

    environment.check()
    interval = Interval.parse(args.start, args.end)
    with Display() as display:
        lineage = run_interval(settings, interval, tuple(args.reviews), display)
    if args.json:
        as_json(lineage)
    else:
        out().print(f"data of {interval.start:%Y-%m-%d %H:%M} to {interval.end:%Y-%m-%d %H:%M}")
    return 0


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.batch import job

    environment.check()
    plan = job.plan(settings, shards=args.shards)
    if args.engine == "spark":
        from recsys.pipeline.batch.spark import score_all

        score_all(settings, plan)
    began = datetime.now(UTC)
    with Display() as display:
        release = job.run(settings, plan, display)
    told = {"release": release, "shards": plan.shards, "version": plan.version}
    if args.json:
        as_json(told | {"seconds": (datetime.now(UTC) - began).total_seconds()})
    else:
        out().print(f"live: {release}")
    return 0


def _score(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.batch import job

    with Display() as display:
        done = job.score(settings, job.plan(settings, shards=args.shards), args.shard, display)
    if args.json:
        as_json(done.as_dict())
    else:
        out().print(
            f"{done.lists:,} lists in {done.seconds} s{' (before)' if done.skipped else ''}"
        )
    return 0
