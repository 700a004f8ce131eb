"""`tailor serve`: the online service."""

import argparse
import os
from typing import Any

from recsys import environment
from recsys.cli.output import errors
from recsys.settings import Settings, load


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("serve", help="recommendations, features and events over HTTP")
    command.add_argument("--host", help="address to listen at (default: the setting)")
    command.add_argument("--port", type=int, help="port to listen at (default: the setting)")
    command.add_argument("--workers", type=int, help="processes (default: the setting)")
    command.set_defaults(run=_serve)


def _serve(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.service.run import serve

    environment.check()
    # workers are processes of their own, and read their settings from the environment
    for name, value in (("HOST", args.host), ("PORT", args.port), ("WORKERS", args.workers)):
        if value is not None:
            os.environ[f"TAILOR_SERVICE__{name}"] = str(value)
    chosen = load()
    errors().print(
        f"serving {errors().escape(str(settings.home))} at "
        f"http://{chosen.service.host}:{chosen.service.port}"
    )
    serve(chosen)
    return 0
