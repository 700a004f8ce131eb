"""Where lists are made: short ones at once, others beside the event loop, and none for ever."""

import asyncio
import threading

import pytest

from recsys.ladder import Why
from recsys.service.config import DeadlineSettings, LimitSettings, ServiceSettings
from recsys.service.kitchen import BREATH, REST, SHORT, Kitchen


class Clock:
    """Goes on when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def opened(clock, milliseconds):
    deadlines = DeadlineSettings(total_ms=milliseconds)
    return Kitchen(ServiceSettings(deadlines=deadlines, limits=LimitSettings(at_once=2)), clock)


@pytest.fixture
def kitchen(clock):
    kitchen = opened(clock, 30_000)
    yield kitchen
    kitchen.close()


def cook(kitchen, work=threading.get_ident, *, short=True):
    return asyncio.run(kitchen.make(work, lambda why: why, short=short))


HERE = threading.get_ident()


def test_short_work_is_done_at_once_and_other_work_beside_the_loop(kitchen):
    assert cook(kitchen) == HERE
    assert cook(kitchen, short=False) != HERE


def test_what_comes_right_after_another_has_waited_and_goes_to_a_thread(kitchen, clock):
    assert cook(kitchen) == HERE
    assert cook(kitchen) != HERE
    clock.now += BREATH
    assert cook(kitchen) == HERE


def test_work_that_proves_long_is_kept_from_the_loop_for_a_while(kitchen, clock):
    def long():
        clock.now += 2 * SHORT
        return threading.get_ident()

    assert cook(kitchen, long) == HERE
    clock.now += REST / 2
    assert cook(kitchen) != HERE
    clock.now += REST / 2
    assert cook(kitchen) == HERE


def test_short_work_does_not_overtake_work_in_the_threads(kitchen):
    async def both():
        over = threading.Event()
        slow = asyncio.create_task(kitchen.make(over.wait, lambda why: why))
        await asyncio.sleep(0)  # it has begun
        where = await kitchen.make(threading.get_ident, lambda why: why, short=True)
        over.set()
        await slow
        return where

    assert asyncio.run(both()) != HERE


def test_whoever_waits_too_long_or_comes_after_too_many_gets_something_else(clock):
    kitchen, let_go = opened(clock, 50), threading.Event()

    async def crowd():
        makings = [kitchen.make(let_go.wait, lambda why: why) for _ in range(3)]
        answers = await asyncio.gather(*makings)
        let_go.set()
        while kitchen.at_work:  # there is room again once it is done, late as it is
            await asyncio.sleep(0.01)
        return answers, await kitchen.make(lambda: "made", lambda why: why, short=True)

    answers, after = asyncio.run(crowd())
    kitchen.close()
    assert after == "made"
    assert answers == [Why.TOO_LATE, Why.TOO_LATE, Why.TOO_MANY]


def test_an_error_is_the_askers_wherever_the_work_was_done(kitchen, clock):
    for _ in range(2):  # at once, then beside
        with pytest.raises(ZeroDivisionError):
            cook(kitchen, lambda: 1 // 0)
    clock.now += BREATH
    assert cook(kitchen) == HERE
