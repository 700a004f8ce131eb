"""Work through portions on all cores, in order and in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

# numpy, scipy, FAISS and LightGBM leave the interpreter alone while they work
WORKERS = max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1))


def ordered(work: Callable[[In], Out], portions: Iterable[In]) -> Iterator[Out]:
    """Yield the result of each portion, in their order; few are under way at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Out]] = deque()
        for portion in portions:
            waiting.append(pool.submit(work, portion))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
