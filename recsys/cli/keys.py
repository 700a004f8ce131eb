"""`tailor keys`: who may call the service."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from recsys.cli.output import as_json, out, table
from recsys.settings import Settings

SCOPES = ("read", "write", "admin")


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("keys", help="the API keys of the service")
    group = group.add_subparsers(required=True)
    create = group.add_parser("create", help="make a key; it is shown once")
    create.add_argument("name", metavar="NAME", help="who will use it")
    create.add_argument("--scope", choices=SCOPES, default="read", help="what it may do")
    create.add_argument("--days", type=float, metavar="N", help="days until it ends; else never")
    create.set_defaults(run=_create)
    rotate = group.add_parser("rotate", help="make a key in place of another, which ends later")
    rotate.add_argument("id", metavar="ID", help="the old key's id")
    rotate.add_argument(
        "--hours", type=float, default=24.0, metavar="N", help="how long the old one still works"
    )
    rotate.set_defaults(run=_rotate)
    revoke = group.add_parser("revoke", help="end a key now")
    revoke.add_argument("id", metavar="ID", help="the key's id")
    revoke.set_defaults(run=_revoke)
    listed = group.add_parser("list", help="all keys, without what is secret")
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.set_defaults(run=_list)


def _engine(settings: Settings) -> Any:
    from recsys.results import database

    engine = database.of(settings)
    database.upgrade(engine)
    return engine


def _create(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.results import keys

    ends = datetime.now(UTC) + timedelta(days=args.days) if args.days else None
    key = keys.create(_engine(settings), args.name, keys.Scope(args.scope), ends)
    out().print(key, markup=False, soft_wrap=True)
    return 0


def _rotate(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.results import keys

    until = datetime.now(UTC) + timedelta(hours=args.hours)
    out().print(keys.rotate(_engine(settings), args.id, until), markup=False, soft_wrap=True)
    return 0


def _revoke(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.results import keys

    keys.revoke(_engine(settings), args.id)
    return 0


def _list(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.results import keys

    found = [
        {
            "id": key.id,
            "name": key.name,
            "scope": key.scope.value,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "valid": key.valid(datetime.now(UTC)),
        }
        for key in keys.every(_engine(settings))
    ]
    if args.json:
        as_json(found)
    else:
        columns = ("id", "name", "scope", "created_at", "expires_at", "valid")
        table("API keys", columns, [[row[name] for name in columns] for row in found])
    return 0
