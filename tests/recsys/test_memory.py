"""The memory of a command at its peak, with that of the processes it starts."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys.evaluation.memory import EVERY, Peak, peak


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_the_peak_counts_children_while_they_run():
    holds = "held = bytearray(100 << 20); print(flush=True); input()"
    with peak() as memory:
        before = memory.mib
        with subprocess.Popen(
            [sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            during = memory.mib
            child.stdin.close()
    assert during > before + 100
    with peak() as memory:  # it has ended
        assert memory.mib < during - 50


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_a_process_about_to_start_a_program_does_not_count_its_parents_memory():
    held, memory = bytearray(100 << 20), Peak()
    before = memory.mib
    waits, goes = os.pipe()
    if not (fork := os.fork()):
        os.close(goes)
        os.read(waits, 1)
        os._exit(0)
    try:
        # looked at again at once, as the watch and a caller may
        assert max(memory.mib, memory.mib) < before + 50, f"{len(held) >> 20} MiB twice"
        time.sleep(EVERY)
        assert memory.mib >= before + 100  # it goes on as it is: pages of its own, for all we know
    finally:
        os.close(goes)
        os.waitpid(fork, 0)
