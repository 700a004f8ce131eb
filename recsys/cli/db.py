"""`tailor db upgrade | check`: the results database."""

import argparse
from typing import Any

from recsys.cli.output import errors, out
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("db", help="results database").add_subparsers(required=True)
    upgrade = group.add_parser("upgrade", help="bring the tables to this version")
    upgrade.set_defaults(run=_upgrade)
    check = group.add_parser("check", help="compare the tables with what this version expects")
    check.set_defaults(run=_check)


def _upgrade(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.results import database

    database.upgrade(database.of(settings))
    out().print("the results database is up to date")
    return 0


def _check(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.results import database

    differences = database.check(database.of(settings))
    for difference in differences:
        errors().print(errors().escape(difference))
    out().print(
        f"{len(differences)} differences; `tailor db upgrade` brings the tables to this version"
        if differences
        else "the results database is as this version expects it"
    )
    return 1 if differences else 0
