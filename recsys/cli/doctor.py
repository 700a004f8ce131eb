"""`tailor doctor`: is this environment fit?"""

import argparse
import shutil
import subprocess
from typing import Any

from recsys import environment
from recsys.cli.output import out, table
from recsys.errors import TailorError
from recsys.settings import Settings


def register(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("doctor", help="check the environment: packages, Java, conflicts")
    command.set_defaults(run=_doctor)


def _doctor(_args: argparse.Namespace, settings: Settings) -> int:
    environment.check()
    table(
        "Packages",
        ("extra", "package", "version"),
        [
            (p.extra, p.name, p.version or f'— pip install "tailor[{p.extra}]"')
            for p in environment.packages()
        ],
    )
    out().print(f"Java: {_java()}\nhome: {settings.home.resolve()}\nno conflicting packages")
    return 0


def _java() -> str:
    if shutil.which("java") is None:
        raise TailorError("java is not on the PATH", where="Spark", fix="install Java 17 or newer")
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    return told.splitlines()[0] if told else "unknown version"
