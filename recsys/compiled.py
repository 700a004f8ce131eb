"""Loops compiled to machine code: what numpy does in many small steps, in one (decision 0024)."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from recsys.errors import extra

with extra("recsys"):
    from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """Compile a loop over arrays when it is first called; other threads go on while it runs.

    The code is kept beside the source, so that only the first process of an installation waits for
    it; where no place can be written to, every process does. Sums are taken in the order that is
    written, as they would be without it.
    """
    return _compiled(loop, freely=False)


def summing_freely(loop: Loop) -> Loop:
    """Compile a loop whose sums may be taken in another order, the same in every call."""
    return _compiled(loop, freely=True)


def as_read(numbers: Any) -> Any:
    """Give numbers to a compiled loop: of one kind and layout, or it would be compiled again."""
    plain = np.ascontiguousarray(numbers, np.float32).view()
    plain.flags.writeable = False
    return plain


def _compiled(loop: Loop, *, freely: bool) -> Loop:
    how = {"nogil": True, "fastmath": {"reassoc", "contract"} if freely else False}
    try:
        return cast("Loop", njit(cache=True, **how)(loop))
    except RuntimeError:  # nowhere to keep it
        return cast("Loop", njit(**how)(loop))
