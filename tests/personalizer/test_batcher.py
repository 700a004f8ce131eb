import asyncio
import threading
import time

import pytest

from personalizer.server.batcher import Batcher, Watch
from personalizer.server.errors import ServerError


class Model:
    """Doubles numbers; told to, it waits, fails or runs out of memory."""

    def __init__(self):
        self.batches, self.room = [], 99
        self.go = threading.Event()
        self.go.set()

    def run(self, kind, works):
        self.go.wait(5)
        self.batches.append((kind, list(works)))
        if len(works) > self.room:
            raise MemoryError
        if "bad" in works:
            raise ValueError("bad")
        return [work * 2 for work in works]


def serving(check, **options):
    """Run a check with a batcher on an event loop."""

    async def go():
        model = Model()
        batcher = Batcher(
            model.run, out_of_memory=lambda error: isinstance(error, MemoryError), **options
        )
        batcher.start()
        try:
            await asyncio.wait_for(check(model, batcher), 20)
        finally:
            model.go.set()
            await batcher.close()

    asyncio.run(go())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)


def test_those_who_come_together_are_answered_together():
    async def check(model, batcher):
        answers = await asyncio.gather(*(batcher.submit("a", [n]) for n in range(10)))
        assert answers == [[n * 2] for n in range(10)]
        assert [len(works) for _, works in model.batches] == [4, 4, 2]

    serving(check, most=4, wait=0.05)


def test_a_lone_one_waits_a_little_only():
    async def check(model, batcher):
        start = time.monotonic()
        assert await batcher.submit("a", [1]) == [2]
        assert time.monotonic() - start < 1

    serving(check, wait=0.05)


def test_what_comes_while_one_runs_is_the_next_batch_and_kinds_stay_apart():
    async def check(model, batcher):
        model.go.clear()
        first = asyncio.create_task(batcher.submit("a", [1]))
        await until(lambda: batcher._running)
        rest = [
            asyncio.create_task(batcher.submit(kind, [n])) for n, kind in enumerate("abab", start=2)
        ]
        await asyncio.sleep(0.01)
        model.go.set()
        assert await asyncio.gather(first, *rest) == [[2], [4], [6], [8], [10]]
        assert model.batches == [("a", [1]), ("a", [2, 4]), ("b", [3, 5])]

    serving(check, wait=0)


def test_a_full_queue_says_when_to_come_back():
    async def check(model, batcher):
        model.go.clear()
        waiting = asyncio.create_task(batcher.submit("a", [1, 2, 3]))
        await asyncio.sleep(0.01)
        with pytest.raises(ServerError) as caught:
            await batcher.submit("a", [4, 5])
        assert caught.value.status == 429
        assert caught.value.retry_after >= 1
        model.go.set()
        assert await waiting == [2, 4, 6]
        assert await batcher.submit("a", [4, 5]) == [8, 10]

    serving(check, most_waiting=4)


def test_a_deadline_ends_the_wait_and_the_work_is_not_done():
    async def check(model, batcher):
        model.go.clear()
        first = asyncio.create_task(batcher.submit("a", [1]))
        await until(lambda: batcher._running)
        with pytest.raises(ServerError) as caught:
            await batcher.submit("a", [2], deadline=0.02)
        assert caught.value.status == 504
        model.go.set()
        await first
        await batcher.submit("a", [3])
        assert [2] not in [works for _, works in model.batches]

    serving(check, wait=0)


def test_cancelled_work_leaves_the_queue():
    async def check(model, batcher):
        model.go.clear()
        first = asyncio.create_task(batcher.submit("a", [1]))
        await until(lambda: batcher._running)
        second = asyncio.create_task(batcher.submit("a", [2]))
        await asyncio.sleep(0.01)
        second.cancel()
        model.go.set()
        await first
        assert await batcher.submit("a", [3]) == [6]
        assert model.batches == [("a", [1]), ("a", [3])]

    serving(check, wait=0)


def test_out_of_memory_halves_the_batch():
    splits = []

    async def check(model, batcher):
        model.room = 2
        answers = await batcher.submit("a", [1, 2, 3, 4, 5])
        assert answers == [2, 4, 6, 8, 10]
        assert [works for _, works in model.batches if len(works) <= 2] == [[1, 2], [3], [4, 5]]
        assert len(splits) == 2
        model.room = 0
        with pytest.raises(MemoryError):
            await batcher.submit("a", [1])

    serving(check, wait=0, watch=Watch(split=lambda: splits.append(1)))


def test_a_bad_neighbour_fails_alone():
    async def check(model, batcher):
        answers = await asyncio.gather(
            *(batcher.submit("a", [work]) for work in (1, "bad", 3)), return_exceptions=True
        )
        assert answers[0] == [2]
        assert isinstance(answers[1], ValueError)
        assert answers[2] == [6]

    serving(check, wait=0.05)


def test_closing_answers_who_waits_and_takes_nobody_new():
    async def check(model, batcher):
        model.go.clear()
        waiting = [asyncio.create_task(batcher.submit("a", [n])) for n in range(3)]
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.01)
        with pytest.raises(ServerError) as caught:
            await batcher.submit("a", [9])
        assert caught.value.status == 503
        model.go.set()
        assert await asyncio.gather(*waiting) == [[0], [2], [4]]
        await closing
        batcher._task = None

    serving(check, wait=0)
