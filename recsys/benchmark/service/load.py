"""Open-loop load: requests start when they are due, whether or not earlier ones were answered.

A latency counts from the moment a request was due, so that a service that makes its callers wait
in a queue can't hide it.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CALLERS = 64
TIMEOUT = 15.0


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Shot:
    """One request and its answer; status 0: there was none."""

    call: Call
    ms: float
    status: int
    told: dict[str, Any] = field(repr=False, default_factory=dict)


class Gun:
    """Sends requests from one process, each thread over a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()

    def fire(self, next_call: Callable[[], Call], rate: float, seconds: float) -> list[Shot]:
        """Send requests at random moments, `rate` a second on average, and wait for the answers."""
        rng = random.Random(0)  # noqa: S311 - a load, not a secret
        end = (due := time.perf_counter() + 0.1) + seconds
        with ThreadPoolExecutor(CALLERS) as callers:
            shots = []
            while due < end:
                time.sleep(max(0.0, due - time.perf_counter()))
                shots.append(callers.submit(self._shoot, next_call(), due))
                due += rng.expovariate(rate)
            return [shot.result() for shot in shots]

    def ask(self, call: Call) -> Shot:
        """Send one request now."""
        return self._shoot(call, time.perf_counter())

    def _shoot(self, call: Call, due: float) -> Shot:
        try:
            status, told = self._sent(call)
        except (OSError, http.client.HTTPException, ValueError):
            self._own.connection = None
            status, told = 0, {}
        return Shot(call, (time.perf_counter() - due) * 1_000, status, told)

    def _sent(self, call: Call) -> tuple[int, dict[str, Any]]:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
            self._own.connection = connection
        body = None if call.body is None else json.dumps(call.body)
        connection.request(call.method, call.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")


def figures(shots: Sequence[Shot], seconds: float) -> dict[str, float]:
    """Rate, median, 99th percentile, and how many had no good answer."""
    told = [shot.ms for shot in shots]
    return {
        "rps": round(len(shots) / seconds, 1),
        "p50_ms": round(float(np.percentile(told, 50)), 2),
        "p99_ms": round(float(np.percentile(told, 99)), 2),
        "errors": sum(shot.status != 200 for shot in shots),
    }
