"""`tailor erase USER`: from every store, with a receipt."""

import argparse
from typing import Any

from recsys.cli.output import as_json, out, table
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("erase", help="erase a shopper from every store, with a receipt")
    command.add_argument("user", help="her id")
    command.add_argument(
        "--later", action="store_true", help="note the request; the next maintenance does it"
    )
    command.add_argument("--json", action="store_true", help="print the receipt as JSON")
    command.set_defaults(run=_erase)


def _erase(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.erasure import erase
    from recsys.results import database, erasures

    if args.later:
        engine = database.of(settings)
        database.upgrade(engine)
        digest = erasures.request(engine, args.user)
        out().print(f"noted as {digest[:16]}; the next `tailor maintenance` erases her")
        return 0
    receipt = erase(args.user, settings)
    if args.json:
        as_json(receipt.as_dict())
        return 0
    rows = [(place, f"{count:,}") for place, count in sorted(receipt.removed.items())]
    table(f"Erased {receipt.user_digest[:16]}", ("place", "rows"), rows, right=("rows",))
    for line in receipt.left:
        out().print(line)
    return 0
