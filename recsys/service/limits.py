"""How often a caller may ask: a bucket per caller that fills again with time."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from recsys.service.config import LimitSettings
from recsys.service.errors import busy

REMEMBERED = 10_000  # callers; of more, the one that was quiet longest is forgotten


class Rates:
    """Counts callers of one worker. For the event loop's thread alone."""

    def __init__(
        self, settings: LimitSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = settings.rate, settings.burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count a request, or say when to come back."""
        if not self._rate:
            return
        now = self._clock()
        left, at = self._left.pop(caller, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate)
        self._left[caller] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            wait = math.ceil((1 - left) / self._rate)
            raise busy("rate_limited", "too many requests of one caller", max(1, wait))
