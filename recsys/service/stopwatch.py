"""How long each stage of an answer took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Times stages by name; says it in a `Server-Timing` header."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0) + time.perf_counter() - began

    @property
    def header(self) -> str:
        """As browsers read it: milliseconds by stage."""
        return ", ".join(f"{name};dur={s * 1_000:.2f}" for name, s in self.seconds.items())
