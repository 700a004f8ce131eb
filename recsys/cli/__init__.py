"""The command line: `tailor`. One module per command group; heavy parts load when they are used."""

from recsys.cli.app import main

__all__ = ["main"]
