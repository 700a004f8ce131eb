"""Parse, run, and turn every error into one line and an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence

from features.errors import FeaturesError
from personalizer.errors import PersonalizerError
from recsys import __version__, log, settings
from recsys.cli import (
    airflow,
    batch,
    benchmark,
    candidate,
    config,
    data,
    db,
    doctor,
    erase,
    evaluate,
    explain,
    features,
    keys,
    personalizer,
    pipeline,
    preference,
    profiles,
    read,
    release,
    report,
    serve,
)
from recsys.cli.output import errors
from recsys.errors import TailorError

GROUPS = (
    pipeline,
    profiles,
    evaluate,
    preference,
    batch,
    benchmark,
    candidate,
    data,
    read,
    explain,
    features,
    personalizer,
    serve,
    keys,
    release,
    report,
    config,
    db,
    airflow,
    doctor,
    erase,
)
OURS = (TailorError, FeaturesError, PersonalizerError)


def parser() -> argparse.ArgumentParser:
    """The whole command tree."""
    top = argparse.ArgumentParser(
        prog="tailor",
        description="Recommendations on a feature store, reranked by a language model that adapts "
        "itself to each shopper.",
    )
    top.add_argument("--version", action="version", version=f"tailor {__version__}")
    top.add_argument("--home", metavar="DIR", help="folder of all state (default: .tailor)")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for an error, 2 for a usage error, 130 for Ctrl-C."""
    args = parser().parse_args(argv)
    if args.home:
        os.environ["TAILOR_HOME"] = args.home
    try:
        chosen = settings.load()
        log.configure(chosen.log)
        code: int = args.run(args, chosen)
    except OURS as error:
        errors().print(f"[bold red]error[/] {errors().escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        errors().print("stopped; what was published is untouched, `tailor run` goes on from here")
        return 130
    except BrokenPipeError:  # `tailor … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
