"""What a run tells the world while it works."""

from typing import Protocol


class Observer(Protocol):
    """Hears of every stage; the command line draws it, tests kill at it."""

    def event(self, stage: str, event: str, detail: str = "") -> None:
        """Something happened: start, skip, written, done, or a step of the publish."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """A stage is so far along."""


class Silent:
    """Tells nobody."""

    def event(self, stage: str, event: str, detail: str = "") -> None:
        """Ignore it."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignore it."""


class Logged:
    """Tells the log: for scheduled tasks, which nobody watches."""

    def __init__(self) -> None:
        from recsys import log

        self._log = log.get("recsys.run")

    def event(self, stage: str, event: str, detail: str = "") -> None:
        """Write a line."""
        self._log.info(event, stage=stage, **({"detail": detail} if detail else {}))

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignore it: long jobs have a pace of their own."""
