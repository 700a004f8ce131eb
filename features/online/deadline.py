"""Ask a store, and wait no longer than agreed: a store that hangs must not hang who asks."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from features.errors import SlowStoreError, too_late
from features.online.base import OnlineStore

_MOST_STUCK = 16
"""Questions that may hang at once; beyond, none is asked until one of them comes back."""

T = TypeVar("T")
Question = Callable[[OnlineStore], T]


class Asking(ABC):
    """A way to ask a store, for several threads at once."""

    @abstractmethod
    def ask(self, question: Question[T]) -> T:
        """Give the answer, raise what the store raised, or say that it took too long."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connections that nobody uses."""


class Here(Asking):
    """Asks in the caller's own thread a store that keeps the deadline itself.

    A connection is used by one thread at a time; after an error it is not used again.
    """

    def __init__(self, connect: Callable[[], OnlineStore]) -> None:
        self._connect = connect
        self._idle: list[OnlineStore] = []  # taken and given back in one step each: no lock

    def ask(self, question: Question[T]) -> T:
        """Ask on a connection that nobody uses, or a new one."""
        try:
            store = self._idle.pop()
        except IndexError:
            store = self._connect()
        try:
            found = question(store)
        except BaseException:
            _close(store)
            raise
        self._idle.append(store)
        return found

    def close(self) -> None:
        """Let go of the idle connections."""
        while self._idle:
            _close(self._idle.pop())


class Timed(Asking):
    """Asks in threads of its own, each with a connection of its own."""

    def __init__(self, connect: Callable[[], OnlineStore], where: str, seconds: float) -> None:
        self._connect, self._where, self._seconds = connect, where, seconds
        self._idle: list[_Asker] = []
        self._stuck: list[_Asker] = []
        self._lock = Lock()

    def ask(self, question: Question[T]) -> T:
        """Ask, and turn away when the time is over."""
        asker = self._free()
        answer: Future[T] = Future()
        asker.questions.put((question, answer))
        try:
            found = answer.result(self._seconds)
        except TimeoutError as error:
            if answer.done():  # the store's own time-out
                self._idle.append(asker)
            else:  # it goes on waiting in its thread, which ends when the store gives in
                asker.questions.put(None)
                self._stuck.append(asker)
            raise too_late(self._seconds, self._where) from error
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
