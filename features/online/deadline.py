"""Ask a store, and wait no longer than agreed: a store that hangs must not hang who asks."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from features.errors import SlowStoreError
from features.online.base import OnlineStore

_MOST_STUCK = 16
"""Questions that may hang at once; beyond, none is asked until one of them comes back."""

T = TypeVar("T")
Question = Callable[[OnlineStore], T]


class Timed:
    """Asks in threads of its own, each with a connection of its own."""

    def __init__(self, connect: Callable[[], OnlineStore], where: str) -> None:
        self._connect, self._where = connect, where
        self._idle: list[_Asker] = []
        self._stuck: list[_Asker] = []
        self._lock = Lock()

    def ask(self, question: Question[T], seconds: float) -> T:
        """Give the answer, raise what the store raised, or say that it took too long."""
        asker = self._free()
        answer: Future[T] = Future()
        asker.questions.put((question, answer))
        try:
            found = answer.result(seconds)
        except TimeoutError as error:
            if answer.done():  # the store's own time-out
                self._idle.append(asker)
            else:  # it goes on waiting in its thread, which ends when the store gives in
                asker.questions.put(None)
                self._stuck.append(asker)
            raise SlowStoreError(
                f"no answer within {seconds * 1_000:.0f} ms", where=self._where
            ) from error
        except BaseException:
            self._idle.append(asker)
            raise
        self._idle.append(asker)
        return found

    def close(self) -> None:
        """Let the idle threads end."""
        while self._idle:
            self._idle.pop().questions.put(None)

    def _free(self) -> "_Asker":
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._stuck = [asker for asker in self._stuck if asker.is_alive()]
            if len(self._stuck) >= _MOST_STUCK:
                raise SlowStoreError(
                    f"{len(self._stuck)} earlier questions still wait", where=self._where
                )
            asker = _Asker(self._connect)
            asker.start()
            return asker


class _Asker(Thread):
    """A thread with a connection; after an error it connects anew."""

    def __init__(self, connect: Callable[[], OnlineStore]) -> None:
        super().__init__(daemon=True, name="tailor-online-store")
        self.questions: SimpleQueue[tuple[Question[Any], Future[Any]] | None] = SimpleQueue()
        self._connect = connect

    def run(self) -> None:
        """Answer until told to end."""
        store: OnlineStore | None = None
        while (asked := self.questions.get()) is not None:
            question, answer = asked
            try:
                store = store or self._connect()
                answer.set_result(question(store))
            except BaseException as error:
                _close(store)
                store = None
                answer.set_exception(error)
        _close(store)


def _close(store: OnlineStore | None) -> None:
    with suppress(Exception):  # it may be broken already
        if store:
            store.close()
