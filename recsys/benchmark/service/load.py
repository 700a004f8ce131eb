"""Open-loop load: requests start when they are due, whether or not earlier ones were answered.

A latency counts from the moment a request was due, so that a service that makes its callers wait
in a queue can't hide it.
"""

import asyncio
import json
import random
import selectors
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np

from recsys.errors import extra

with extra("serve"):
    import httptools

TIMEOUT = 15.0
EARLY = 0.001  # seconds before a request is due, from which on the load stays awake for it
CONNECTIONS = 64
T = TypeVar("T")
Idle: TypeAlias = "deque[_Connection]"


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    body: dict[str, Any] | None = None

    @property
    def message(self) -> bytes:
        """As it is sent."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        head = (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body


@dataclass(frozen=True)
class Shot:
    """One request and its answer; status 0: there was none."""

    call: Call
    ms: float
    status: int
    content: bytes = b""
    late: float = 0.0  # ms after it was due that it was sent: the load's own doing

    @cached_property
    def told(self) -> dict[str, Any]:
        """The answer, read when somebody asks: the load is not to wait for it."""
        told: dict[str, Any] = json.loads(self.content or b"{}")
        return told


class Gun:
    """Sends requests from one process and one thread, over one connection after another.

    All connections take turns, so that a load reaches all workers behind the port.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def fire(self, next_call: Callable[[], Call], rate: float, seconds: float) -> list[Shot]:
        """Send requests at random moments, `rate` a second on average, and wait for the answers."""

        async def load(idle: Idle) -> list[Shot]:
            some = (self._connect() for _ in range(CONNECTIONS))
            idle.extend(await asyncio.gather(*some))
            rng = random.Random(0)  # noqa: S311 - a load, not a secret
            end = (due := time.perf_counter() + 0.1) + seconds
            shots = []
            while due < end:
                await asyncio.sleep(due - EARLY - time.perf_counter())
                shots.append(asyncio.create_task(self._shoot(next_call(), due, idle)))
                due += rng.expovariate(rate)
            return await asyncio.gather(*shots)

        return self._run(load)

    def ask(self, call: Call) -> Shot:
        """Send one request now."""
        began = time.perf_counter()
        return self._run(lambda idle: self._shoot(call, began, idle))

    async def _shoot(self, call: Call, due: float, idle: Idle) -> Shot:
        connection, message, late = None, call.message, 0.0
        while time.perf_counter() < due:
            await asyncio.sleep(0)  # answers are still read
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = _free(idle) or await self._connect()
                late = (time.perf_counter() - due) * 1_000
                answer = await connection.ask(message)
        except OSError:  # a time-out is one
            if connection:
                connection.close()
            return Shot(call, (time.perf_counter() - due) * 1_000, 0, late=late)
        idle.append(connection)
        return Shot(call, (answer.at - due) * 1_000, answer.status, answer.content, late)

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return made

    def _run(self, work: Callable[[Idle], Coroutine[Any, Any, T]]) -> T:
        """Do some work over connections that are closed at its end."""

        async def whole() -> T:
            idle: Idle = deque()
            try:
                return await work(idle)
            finally:
                for connection in idle:
                    connection.close()

        with asyncio.Runner(loop_factory=_loop) as runner:
            return runner.run(whole())


def _loop() -> asyncio.AbstractEventLoop:
    """A loop that wakes when a request is due, not at the next millisecond as with epoll."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def _free(idle: Idle) -> "_Connection | None":
    """Take the next connection that is still open."""
    while idle:
        if (connection := idle.popleft()).open:
            return connection
    return None


@dataclass(frozen=True)
class _Answer:
    at: float  # when its last byte came
    status: int
    content: bytes


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._content: list[bytes] = []
        self._answer: asyncio.Future[_Answer] | None = None
        self._transport: Any = None

    def ask(self, message: bytes) -> "asyncio.Future[_Answer]":
        """Send a request; its answer comes later."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return self._answer

    @property
    def open(self) -> bool:
        """Whether it can be asked: the service may have hung up since."""
        return not self._transport.is_closing()

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the service."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Keep a part of the answer."""
        self._content.append(part)

    def on_message_complete(self) -> None:
        """Hand the answer out."""
        content, self._content = b"".join(self._content), []
        answer = _Answer(time.perf_counter(), self._parser.get_status_code(), content)
        if not self._parser.should_keep_alive():
            self._transport.close()
        if self._answer and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError(error or "closed without an answer"))


def figures(shots: Sequence[Shot], seconds: float) -> dict[str, float]:
    """Rate, median, 99th percentile, and how many had no good answer."""
    told = [shot.ms for shot in shots]
    return {
        "rps": round(len(shots) / seconds, 1),
        "p50_ms": round(float(np.percentile(told, 50)), 2),
        "p99_ms": round(float(np.percentile(told, 99)), 2),
        "errors": sum(shot.status != 200 for shot in shots),
    }
