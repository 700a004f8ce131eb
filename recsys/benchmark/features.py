"""Raw files to the online store and one day more, timed cold: every step starts its own Java."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recsys.errors import StageError

Told = Callable[[str], None]
KEYS = (
    "raw_to_online_seconds",
    "next_day_seconds",
    "peak_mib",
    "materialize_rows_per_second",
    "feast_materialize_rows_per_second",
    "lookup_ms_p50",
    "lookup_1000_users_ms",
    "skew_mismatches",
)


def measure(reviews: Sequence[Path], items: Sequence[Path], told: Told) -> dict[str, Any]:
    """Run all steps in a home that is removed at the end."""
    files = ["\n".join(str(path.absolute()) for path in part) for part in (reviews, items)]
    with tempfile.TemporaryDirectory(prefix="tailor-benchmark-") as folder:
        whole, raw_seconds = _step("raw", folder, *files, told=told)
        evening, _ = _step("rewind", folder, told=told)
        further, day_seconds = _step("day", folder, evening["as_of"], told=told)
        online, _ = _step("online", folder, evening["as_of"], told=told)
    figures = online | {
        "raw_to_online_seconds": raw_seconds,
        "next_day_seconds": day_seconds,
        "peak_mib": max(whole["peak_mib"], further["peak_mib"]),
    }
    return {key: figures[key] for key in KEYS}


def _step(name: str, *words: str, told: Told) -> tuple[dict[str, Any], float]:
    """Run a step in a process of its own; returns what it printed, and its seconds."""
    # the same code as here, wherever this process found it
    here = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "recsys.benchmark.steps", name, *words],
        capture_output=True, text=True, check=False, env=os.environ | here,
    )  # fmt: skip
    seconds = round(time.perf_counter() - began, 1)
    if done.returncode:
        raise StageError(
            (done.stderr.strip().splitlines() or ["no word"])[-1],
            where=f"benchmark, step {name}",
            fix="`tailor run` over the same files tells more",
        )
    told(f"{name}: {seconds} s")
    return json.loads(done.stdout.splitlines()[-1]), seconds
