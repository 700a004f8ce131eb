"""`tailor candidate train | judge | publish`, `tailor maintenance`."""

import argparse
from typing import Any

from recsys import environment
from recsys.cli.output import as_json, errors, out, table
from recsys.cli.progress import Display
from recsys.settings import Settings

# as `recsys.pipeline.candidate.HOLD`, which is not loaded only to print help
_HOLD = ("worse", "not better", "never")


def register(commands: Any) -> None:
    """Add the command groups."""
    group = commands.add_parser("candidate", help="models that wait for a verdict").add_subparsers(
        required=True
    )
    train = group.add_parser("train", help="train on the data at hand; nothing is published")
    train.set_defaults(run=_train)
    judge = group.add_parser("judge", help="hold the candidate against the live release")
    judge.add_argument("--hold", choices=_HOLD, default=_HOLD[0], help="when to hold it back")
    judge.add_argument("--json", action="store_true", help="print the verdict as JSON")
    judge.set_defaults(run=_judge)
    publish = group.add_parser("publish", help="make the candidate's lists, and serve them")
    publish.set_defaults(run=_publish)

    upkeep = commands.add_parser("maintenance", help="erasures, retention, integrity, vacuum")
    upkeep.add_argument(
        "--keep-releases", type=int, default=7, metavar="N", help="releases that stay"
    )
    upkeep.add_argument(
        "--keep-days", type=int, default=30, metavar="N", help="days partitions stay"
    )
    upkeep.add_argument("--json", action="store_true", help="print what was done as JSON")
    upkeep.set_defaults(run=_maintain)


def _train(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.candidate import train

    environment.check()
    with Display() as display:
        lineage = train(settings, display)
    table("Candidate", ("part", "version"), sorted(lineage.items()))
    return 0


def _judge(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.candidate import judge

    with Display() as display:
        _, verdict = judge(settings, hold=args.hold, observer=display)
    if args.json:
        as_json(verdict.as_dict())
        return 0
    out().print("[bold]publish[/]" if verdict.publish else "[bold]hold[/]")
    table("Verdict", ("", ""), verdict.as_dict().items())
    return 0


def _publish(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.candidate import publish

    with Display() as display:
        out().print(f"live: {publish(settings, display)}")
    return 0


def _maintain(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.upkeep import maintain

    done = maintain(settings, keep_releases=args.keep_releases, keep_days=args.keep_days)
    if args.json:
        as_json(done.as_dict())
    else:
        counts = {
            name: len(v) if not isinstance(v, int) else v for name, v in done.as_dict().items()
        }
        table("Maintenance", ("", "count"), counts.items(), right=("count",))
    for what, why in done.damaged.items():
        errors().print(errors().escape(f"damaged: {what}: {why}"))
    return 1 if done.damaged else 0
