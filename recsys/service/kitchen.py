"""Where lists are made: a few threads, an end to waiting, and an answer for who waited too long."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from recsys.ladder import Why
from recsys.service.config import ServiceSettings

T = TypeVar("T")
SHORT = 0.02  # seconds; work that took longer is no work for the event loop's own thread
REST = 5.0  # seconds for which none is done there after that
BREATH = 0.001  # the same after any: what comes sooner has waited, and may be one of many


class Kitchen:
    """Runs work beside the event loop, and gives up on what takes too long.

    Work that is given up goes on in its thread to its end; nobody waits for it any more. Short work
    is done in the event loop's own thread as long as nobody else waits: to change threads and back
    takes as long as much of it (docs/decisions/0034).
    """

    def __init__(
        self, settings: ServiceSettings, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._pool = ThreadPoolExecutor(settings.threads, "tailor-lists")
        self._seconds = settings.deadlines.total_ms / 1_000
        self._most = settings.limits.at_once
        self._clock = clock
        self._free_from = -1e9
        self.at_work = 0

    async def make(
        self, work: Callable[[], T], instead: Callable[[Why], T], *, short: bool = False
    ) -> T:
        """Do some work, or what is done instead where it comes too late or too many came first."""
        if short and not self.at_work and self._clock() >= self._free_from:
            return self._here(work)
        if self.at_work >= self._most:
            return instead(Why.TOO_MANY)
        self.at_work += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        running.add_done_callback(self._done)
        done, _ = await asyncio.wait({running}, timeout=self._seconds)
        if done:
            return running.result()
        running.cancel()
        return instead(Why.TOO_LATE)

    def _here(self, work: Callable[[], T]) -> T:
        began = self._clock()
        try:
            return work()
        finally:
            ended = self._clock()
            self._free_from = ended + (REST if ended - began > SHORT else BREATH)

    def _done(self, running: "asyncio.Future[T]") -> None:
        self.at_work -= 1
        if not running.cancelled():
            running.exception()  # whoever gave up does not ask; it must not be said at exit

    def close(self) -> None:
        """Take nothing new."""
        self._pool.shutdown(wait=False, cancel_futures=True)
