"""Freed memory is kept: a step finds what the step before it has used."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from personalizer.allocator import keep_freed
if sys.argv[1] == "kept" and not keep_freed():
    print("-1")
else:
    faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    sizes = [40 << 18, 50 << 18, 60 << 18]  # of four bytes each: beyond what is kept by default
    def steps(many):
        for _ in range(many):
            for size in sizes:
                torch.ones(size)

    steps(5)
    before = faults()
    steps(10)
    print(faults() - before)
"""


def faults(how):
    told = subprocess.run(
        [sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True
    )
    return int(told.stdout)


def test_memory_that_was_freed_is_not_asked_for_again():
    kept = faults("kept")
    if kept < 0:
        pytest.skip("not glibc")
    assert kept * 5 < faults("as it is")
