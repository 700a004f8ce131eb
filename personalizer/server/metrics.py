"""What Prometheus reads."""

from personalizer.adapters import AdapterStore
from personalizer.errors import extra
from personalizer.server.batcher import Batcher, Watch

with extra("serve"):
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters of one server, apart from those of others in the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "tailor_requests",
            "Requests by path and status",
            ("path", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "tailor_request_seconds", "Seconds of a request", ("path",), registry=self._registry
        )
        self._batch = Histogram(
            "tailor_batch_size",
            "Shoppers in a batch",
            ("kind",),
            buckets=SIZES,
            registry=self._registry,
        )
        self._took = Histogram(
            "tailor_batch_seconds", "Seconds of a batch", ("kind",), registry=self._registry
        )
        self._splits = Counter(
            "tailor_batch_splits", "Batches too big for the memory", registry=self._registry
        )

    def watch(self) -> Watch:
        """Count batches."""
        return Watch(self._count, self._splits.inc)

    def _count(self, kind: str, size: int, seconds: float) -> None:
        kind = kind.partition(" ")[0]
        self._batch.labels(kind).observe(size)
        self._took.labels(kind).observe(seconds)

    def show(self, store: AdapterStore, batcher: Batcher) -> None:
        """Tell what is kept and who waits, whenever asked."""
        gauges = {
            "tailor_waiting": ("Shoppers that wait or are being answered", lambda: batcher.waiting),
            "tailor_adapters_kept": ("Adapters kept", lambda: store.usage().kept),
            "tailor_adapters_bytes": ("Bytes of kept adapters", lambda: store.usage().bytes),
            "tailor_adapters_hits": ("Adapters found", lambda: store.usage().hits),
            "tailor_adapters_misses": ("Adapters made", lambda: store.usage().misses),
            "tailor_adapters_evicted": ("Adapters let go", lambda: store.usage().evicted),
        }
        for name, (meaning, value) in gauges.items():
            Gauge(name, meaning, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        told: bytes = generate_latest(self._registry)
        return told
