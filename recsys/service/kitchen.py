"""Where lists are made: a few threads, an end to waiting, and an answer for who waited too long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from recsys.ladder import Why
from recsys.service.config import ServiceSettings

T = TypeVar("T")


class Kitchen:
    """Runs work beside the event loop, and gives up on what takes too long.

    Work that is given up goes on in its thread to its end; nobody waits for it any more.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._pool = ThreadPoolExecutor(settings.threads, "tailor-lists")
        self._seconds = settings.deadlines.total_ms / 1_000
        self._most = settings.limits.at_once
        self.at_work = 0

    async def make(self, work: Callable[[], T], instead: Callable[[Why], T]) -> T:
        """Do some work, or what is done instead where it comes too late or too many came first."""
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

    def _done(self, running: "asyncio.Future[T]") -> None:
        self.at_work -= 1
        if not running.cancelled():
            running.exception()  # whoever gave up does not ask; it must not be said at exit

    def close(self) -> None:
        """Take nothing new."""
        self._pool.shutdown(wait=False, cancel_futures=True)
