"""What Prometheus reads: requests, stages, rungs, freshness."""

import math
import os
from collections.abc import Callable, Mapping

from recsys.errors import extra

with extra("serve"):
    from prometheus_client import (
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        generate_latest,
        multiprocess,
    )

# where several workers count together; other libraries set it for purposes of their own
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
DRIFT = ("psi", "ks")  # measures of a feature's distance to the last release

BUCKETS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Telemetry:
    """Counters of one worker, apart from those of others in the process."""

    def __init__(self, *, together: bool = False) -> None:
        self._together = together and FOLDER in os.environ
        self._registry = CollectorRegistry()
        self._shown: list[tuple[Gauge, Callable[[], float]]] = []
        self._drift = Gauge(
            "tailor_drift", "The worst of the release's features against the last one's",
            ("measure",), registry=self._registry, multiprocess_mode="max",
        )  # fmt: skip
        self._requests = Counter(
            "tailor_requests", "Requests by route and status", ("route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "tailor_request_seconds", "Seconds of a request", ("route",), buckets=BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        self._stages = Histogram(
            "tailor_stage_seconds", "Seconds of a stage of a list", ("stage",), buckets=BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        self._answers = Counter(
            "tailor_answers", "Lists by what made them and why no better", ("rung", "why", "from"),
            registry=self._registry,
        )  # fmt: skip
        self._lookups = Counter(
            "tailor_lookups", "Views looked up, by how that ended", ("view", "outcome"),
            registry=self._registry,
        )  # fmt: skip
        self._events = Counter(
            "tailor_events", "Purchases taken in, by what became of them", ("outcome",),
            registry=self._registry,
        )  # fmt: skip

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """Time a stage."""
        self._stages.labels(name).observe(seconds)

    def answer(self, rung: str, why: str, source: str) -> None:
        """Count a list by its rung."""
        self._answers.labels(rung, why, source).inc()

    def lookup(self, view: str, outcome: str) -> None:
        """Count a view looked up."""
        self._lookups.labels(view, outcome).inc()

    def event(self, outcome: str) -> None:
        """Count a purchase."""
        self._events.labels(outcome).inc()

    def show(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Tell a number whenever asked; of several workers the largest."""
        gauge = Gauge(name, meaning, registry=self._registry, multiprocess_mode="max")
        self._shown.append((gauge, value))

    def drift(self, worst: Mapping[str, float]) -> None:
        """Tell how far the features of the release are from those of the one before."""
        for measure in DRIFT:
            self._drift.labels(measure).set(worst.get(measure, math.nan))

    def text(self) -> bytes:
        """All of it, of all workers, in Prometheus' text format."""
        for gauge, value in self._shown:
            gauge.set(value())
        registry = self._registry
        if self._together:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        told: bytes = generate_latest(registry)
        return told
