"""`tailor airflow prepare | check | start`: the scheduler on this machine."""

import argparse
from typing import Any

from recsys.cli.output import as_json, out, table
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("airflow", help="what runs all of it on a schedule").add_subparsers(
        required=True
    )
    prepare = group.add_parser("prepare", help="make Airflow's home, its database and the pools")
    prepare.set_defaults(run=_prepare)
    check = group.add_parser("check", help="look whether everything the DAGs need is there")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(run=_check)
    start = group.add_parser(
        "start", help="prepare, say where the page is, and run it until Ctrl-C or SIGTERM"
    )
    start.add_argument("--port", type=int, default=8080, help="of the page")
    start.set_defaults(run=_start)


def _prepare(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.airflow_home import prepare

    for line in prepare(settings):
        out().print(out().escape(line), soft_wrap=True)
    return 0


def _check(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.airflow_home import check

    checks = check(settings)
    if args.json:
        as_json([vars(one) for one in checks])
    else:
        rows = [(one.what, "fine" if one.fine else "missing", one.told) for one in checks]
        table("Airflow", ("", "", ""), rows)
    return 0 if all(one.fine for one in checks) else 1


def _start(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.airflow_home import prepare, sign_in, start

    prepare(settings)
    out().print(f"page: http://127.0.0.1:{args.port}")
    for user, password in sign_in(settings).items():
        out().print(f"sign in: {user} / {password}")
    return start(settings, args.port)
