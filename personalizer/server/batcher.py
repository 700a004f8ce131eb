"""Micro-batches of whoever waits: a small wait to fill the first, none while one is running.

One thread runs the model. What comes in meanwhile makes the next batch, first come first served;
who gave up or whose deadline passed is left out of it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from personalizer.server.errors import ServerError, busy, late, stopping

__all__ = ["Batcher", "Job", "Watch"]

Run = Callable[[Sequence[Any]], Sequence[Any]]
GUESS = 0.1  # seconds of a batch, before the first was timed


@dataclass(eq=False)
class Job:
    """One shopper's request, and where its answer goes."""

    work: Any
    kind: str  # only jobs of one kind share a batch
    deadline: float | None  # by the event loop's clock
    answer: "asyncio.Future[Any]"
    came: float = field(default_factory=time.monotonic)


@dataclass
class Watch:
    """Who wants to know what happens; every call is made on the event loop."""

    batch: Callable[[str, int, float], None] = lambda _kind, _size, _seconds: None
    split: Callable[[], None] = lambda: None


class Batcher:
    """Collects jobs and runs them together."""

    def __init__(
        self,
        run: Callable[[str, Sequence[Any]], Sequence[Any]],
        *,
        most: int = 64,
        wait: float = 0.005,
        most_waiting: int = 1024,
        out_of_memory: Callable[[BaseException], bool] = lambda _: False,
        watch: Watch | None = None,
    ) -> None:
        self._run, self._most, self._wait, self._most_waiting = run, most, wait, most_waiting
        self._out_of_memory, self._watch = out_of_memory, watch or Watch()
        self._waiting: deque[Job] = deque()
        self._came = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "model")
        self._task: asyncio.Task[None] | None = None
        self._running = 0
        self._open = True
        self._seconds = GUESS

    @property
    def waiting(self) -> int:
        """Jobs that wait or are being run."""
        return len(self._waiting) + self._running

    def start(self) -> None:
        """Begin to run what comes; call it on the event loop."""
        self._task = asyncio.create_task(self._serve())

    async def first(self, work: Callable[[], None]) -> None:
        """Do something on the model's thread, before the batches that come."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Take nothing new, answer all that wait, and end."""
        self._open = False
        self._came.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def submit(
        self, kind: str, works: Sequence[Any], deadline: float | None = None
    ) -> list[Any]:
        """Answers to some work, in its order; all of it is queued or none.

        `deadline` is in seconds from now. Cancelled, it takes its work off the queue.
        """
        if not self._open:
            raise stopping()
        if self.waiting + len(works) > self._most_waiting:
            raise busy(self._until_free(len(works)))
        loop = asyncio.get_running_loop()
        end = None if deadline is None else loop.time() + deadline
        jobs = [Job(work, kind, end, loop.create_future()) for work in works]
        self._waiting.extend(jobs)
        self._came.set()
        try:
            async with asyncio.timeout_at(end):
                return list(await asyncio.gather(*(job.answer for job in jobs)))
        except TimeoutError:
            raise late() from None
        finally:
            if not all(job.answer.done() for job in jobs):
                for job in jobs:
                    job.answer.cancel()
            # who gave up must not take up room
            self._waiting = deque(job for job in self._waiting if not job.answer.done())

    def _until_free(self, more: int) -> int:
        """Seconds after which there should be room, one at least."""
        batches = (self.waiting + more) / self._most
        return max(1, min(60, round(batches * self._seconds)))

    async def _serve(self) -> None:
        while self._open or self._waiting:
            if not self._waiting:
                self._came.clear()
                await self._came.wait()
                continue
            await self._fill()
            jobs = self._take()
            if jobs:
                await self._answer(jobs)

    async def _fill(self) -> None:
        """Wait a little for company, unless the batch is full or has waited enough."""
        end = self._waiting[0].came + self._wait
        while self._open and len(self._waiting) < self._most:
            left = end - time.monotonic()
            if left <= 0:
                return
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), left)
            except TimeoutError:
                return

    def _take(self) -> list[Job]:
        """The first that wait, of the kind of the very first; the others keep their places."""
        now = asyncio.get_running_loop().time()
        taken: list[Job] = []
        kept: deque[Job] = deque()
        for job in self._waiting:
            if job.answer.done():  # cancelled
                continue
            if job.deadline is not None and job.deadline <= now:
                job.answer.set_exception(late())
            elif len(taken) < self._most and (not taken or job.kind == taken[0].kind):
                taken.append(job)
            else:
                kept.append(job)
        self._waiting = kept
        return taken

    async def _answer(self, jobs: list[Job]) -> None:
        """Run a batch and hand out its answers; too big for the memory, it is run in halves."""
        self._running = len(jobs)
        loop, start = asyncio.get_running_loop(), time.monotonic()
        try:
            works = [job.work for job in jobs]
            answers = await loop.run_in_executor(self._thread, self._run, jobs[0].kind, works)
        except Exception as error:
            if self._out_of_memory(error) and len(jobs) > 1:
                self._watch.split()
                half = len(jobs) // 2
                await self._answer(jobs[:half])
                await self._answer(jobs[half:])
            elif len(jobs) > 1 and not isinstance(error, ServerError):
                # one bad request must not fail its neighbours
                for job in jobs:
                    await self._answer([job])
            else:
                _give(jobs, [error] * len(jobs))
            return
        finally:
            self._running = 0
        seconds = time.monotonic() - start
        self._seconds += 0.2 * (seconds - self._seconds)
        self._watch.batch(jobs[0].kind, len(jobs), seconds)
        _give(jobs, answers)


def _give(jobs: Sequence[Job], answers: Sequence[Any]) -> None:
    for job, answer in zip(jobs, answers, strict=True):
        if job.answer.done():
            continue
        if isinstance(answer, BaseException):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
