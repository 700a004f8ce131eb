"""A part that fails again and again is left alone for a while, so that nobody waits for it."""

import threading
import time
from collections.abc import Callable

from recsys.service.config import BreakerSettings


class Breaker:
    """Closed: ask. Open: don't. After a while one request tries; what it finds decides."""

    def __init__(
        self, settings: BreakerSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock = settings, clock
        self._failures = 0
        self._until = 0.0
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether the part is being left alone."""
        return self._failures >= self._settings.failures

    def allows(self) -> bool:
        """Whether to ask now; of many who come when the time is up, the first tries."""
        with self._lock:
            if not self.open:
                return True
            if self._clock() < self._until:
                return False
            self._until = self._clock() + self._settings.seconds
            return True

    def succeeded(self) -> None:
        """It answered."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """It failed, or took too long."""
        with self._lock:
            self._failures += 1
            self._until = self._clock() + self._settings.seconds
