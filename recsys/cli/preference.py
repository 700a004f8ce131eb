"""`tailor preference build`: the questions of the preference task, as files."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from recsys import environment
from recsys.cli.output import as_json, out, table
from recsys.cli.pipeline import raw_files, raw_options
from recsys.cli.progress import Display
from recsys.errors import SettingsError
from recsys.settings import Settings

if TYPE_CHECKING:
    from recsys.evaluation.preference.save import Saved


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser(
        "preference", help="which of a few products did a shopper buy: the task itself"
    )
    build = group.add_subparsers(required=True).add_parser(
        "build", help="draw the questions of a distractor law, and say what gives them away"
    )
    raw_options(build, required=True)
    task_options(build)
    build.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for questions and manifest"
    )
    build.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="home to work in and to leave (default: one of its own, removed at the end)",
    )
    build.add_argument("--json", action="store_true", help="print the manifest as JSON")
    build.set_defaults(run=_build)


def task_options(command: argparse.ArgumentParser) -> None:
    """Add the options that decide what is asked."""
    command.add_argument(
        "--law",
        required=True,
        metavar="LAW",
        help="where wrong options come from: uniform, popularity, same-category, similar, hard; "
        "next: what was bought next, beside others of its category (also next-uniform, "
        "next-popularity, next-similar, next-hard)",
    )
    command.add_argument(
        "--category-level",
        metavar="LEVEL",
        help="leaf, or how many steps of a category path count",
    )
    command.add_argument("--options", type=int, metavar="N", help="options of a question")
    command.add_argument("--shoppers", type=int, metavar="N", help="shoppers measured, at most")
    command.add_argument("--seed", type=int, metavar="N", help="of every draw")


def with_task_options(settings: Settings, args: argparse.Namespace) -> Settings:
    """The settings, with what was asked for on the command line."""
    given = {
        name: value
        for name in ("category_level", "options", "shoppers", "methods", "personalizer_minutes")
        if (value := getattr(args, name, None)) not in (None, ())
    }
    branch = settings.report.preference
    try:
        chosen = type(branch).model_validate(branch.model_dump() | given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{key}: {first['msg']}, got {first['input']!r}",
            where="tailor preference",
            fix="`tailor config show` lists every setting with its meaning",
        ) from error
    report = settings.report.model_copy(update={"preference": chosen})
    seed = settings.seed if args.seed is None else args.seed
    return settings.model_copy(update={"report": report, "seed": seed})


def _build(args: argparse.Namespace, settings: Settings) -> int:
    environment.check()

    from recsys.evaluation.preference.run import build_task

    with Display() as display:
        saved = build_task(
            raw_files(args),
            with_task_options(settings, args),
            law=args.law,
            out=args.out,
            keep=args.keep,
            observer=display,
        )
    if args.json:
        as_json(saved.manifest)
        return 0
    show(saved)
    return 0


def show(saved: "Saved") -> None:
    """Tell what was built and what a blind guesser reaches."""
    told = saved.manifest
    n = told["n"]
    out().print(
        f"{n['test']:,} questions to measure, {n['validation']:,} to learn from; "
        f"{told['options']} options, distractors {out().escape(told['told'])}",
        soft_wrap=True,
    )
    probes = told["probes"]
    table(
        f"What a blind guesser reaches (chance {probes['chance']:.3f})",
        ("guesser", "accuracy", "95 % interval"),
        [
            (name, f"{each['accuracy']:.3f}", "{:.3f} to {:.3f}".format(*each["ci"]))
            for name, each in probes["guessers"].items()
        ],
        right=("accuracy", "95 % interval"),
    )
    out().print(f"questions: {out().escape(str(saved.folder))}", soft_wrap=True)
