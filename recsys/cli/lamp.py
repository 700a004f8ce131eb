"""`tailor evaluate lamp`: ways of personalising on the questions of LaMP and LongLaMP."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys import environment
from recsys.cli.output import hand_out, make_room, table
from recsys.settings import Settings


def register(kinds: Any) -> None:
    """Add the command."""
    command = kinds.add_parser(
        "lamp", help="answer questions in the files of LaMP or LongLaMP, which are not included"
    )
    command.add_argument(
        "--task", required=True, metavar="TASK", help="such as LaMP-3 or LongLaMP-2"
    )
    command.add_argument("--questions", type=Path, required=True, metavar="F", help="JSON file")
    command.add_argument(
        "--outputs", type=Path, metavar="F", help="their answers, where a file of its own has them"
    )
    command.add_argument(
        "--learn",
        type=Path,
        nargs="+",
        default=(),
        metavar="F",
        help="training questions, and their answers, for methods that learn",
    )
    command.add_argument(
        "--methods", nargs="+", default=(), metavar="NAME", help="default: those that only prompt"
    )
    command.add_argument("--most", type=int, metavar="N", help="the first N questions only")
    command.add_argument(
        "--json", type=Path, metavar="OUT", help="write all figures to this file; - prints them"
    )
    command.set_defaults(run=_lamp)


def _lamp(args: argparse.Namespace, settings: Settings) -> int:
    environment.check()
    make_room(args.json)

    from recsys.evaluation.lamp.load import load
    from recsys.evaluation.lamp.measure import evaluate_lamp
    from recsys.evaluation.lamp.tasks import lamp_task

    task = lamp_task(args.task)
    asked = load(task, args.questions, args.outputs)[: args.most]
    lessons = load(task, *args.learn[:2]) if args.learn else []
    hand_out(evaluate_lamp(task, asked, lessons, args.methods, settings), args.json, _show)
    return 0


def _show(result: Mapping[str, Any]) -> None:
    """One row per method, one column per figure."""
    columns = tuple(next(iter(result["methods"].values())))
    table(
        f"{result['task']}: {result['n']:,} questions",
        ("method", *columns),
        [
            (name, *(f"{each[column]:.4f}" for column in columns))
            for name, each in result["methods"].items()
        ],
        right=columns,
    )
