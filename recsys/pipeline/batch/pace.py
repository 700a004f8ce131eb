"""How far a long job is, how fast, and how long it will still take: a log line now and then."""

import time
from collections.abc import Callable

from recsys import log

_LOG = log.get("recsys.batch")
EVERY = 10.0
"""Seconds between lines."""


class Pace:
    """Counts what is done and tells of it, at most every few seconds and at the end."""

    def __init__(
        self, total: int, *, clock: Callable[[], float] = time.monotonic, **facts: object
    ) -> None:
        self._total, self._clock, self._facts = total, clock, facts
        self._began = self._told = clock()
        self.done = 0

    @property
    def rate(self) -> float:
        """Done per second since the beginning."""
        return self.done / max(self._clock() - self._began, 1e-9)

    @property
    def remaining(self) -> float:
        """Seconds still to go at this rate."""
        return (self._total - self.done) / self.rate if self.done else float("inf")

    def step(self, done: int) -> None:
        """So many more are done."""
        self.done += done
        now = self._clock()
        if now - self._told >= EVERY or self.done >= self._total:
            self._told = now
            _LOG.info(
                "scoring",
                done=self.done,
                total=self._total,
                per_second=round(self.rate, 1),
                seconds_left=round(self.remaining, 1),
                **self._facts,
            )
