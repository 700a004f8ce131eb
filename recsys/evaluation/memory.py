"""The most memory that this process and those it started have held."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")


def peak_mib() -> int:
    """Peak of this process plus that of its children, in MiB.

    Spark's Java still runs when a run is over, and the system's sum only knows who has ended:
    where there is a /proc, the living are looked up in it.
    """
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    ended, own = (
        resource.getrusage(who).ru_maxrss * unit
        for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    )
    return (own + max(ended, sum(_living()))) >> 20


def _living() -> Iterator[int]:
    """Peak bytes of each child that runs."""
    for status in _PROCESSES.glob("[0-9]*/status"):
        with suppress(OSError, ValueError):  # it may end while we look
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if int(lines["PPid"]) == os.getpid() and "VmHWM" in lines:
                yield int(lines["VmHWM"].split()[0]) * 1024
