"""Freed memory is kept for the next step.

By its defaults glibc hands large blocks back to the kernel and asks for them again in every step;
zeroing them took a fifth of a small model's training (docs/lab-log.md).
"""

import ctypes
from functools import cache

__all__ = ["keep_freed"]

# from malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
MOST, MORE = 2**31 - 1, 64 << 20  # bytes that stay before any go back; bytes to ask for at once


@cache
def keep_freed() -> bool:
    """Tell the C library, for the life of the process; False where it is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    told = ((TRIM_THRESHOLD, MOST), (TOP_PAD, MORE), (MMAP_MAX, 0))
    return all(bool(mallopt(option, value)) for option, value in told)
