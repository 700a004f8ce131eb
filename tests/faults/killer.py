"""Run the pipeline and die by SIGKILL at one moment, as a lost machine would."""

import os
import signal
import sys
from pathlib import Path

from recsys.pipeline.run import run
from tests import tiny

HALFWAY = "half done"


class Killer:
    """An observer that ends the process, as a lost machine would, when it hears its word."""

    def __init__(self, stage: str, event: str) -> None:
        self.word = (stage, event)

    def event(self, stage: str, event: str, detail: str = "") -> None:
        """Die, or say where the run is."""
        if (stage, event) == self.word:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdout.write(f"{stage} {event}\n")
        sys.stdout.flush()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Die in the middle of the work, before it is written, if that is the word."""
        if self.word == (stage, HALFWAY) and 2 * done >= total:
            os.kill(os.getpid(), signal.SIGKILL)


def main(stage: str, event: str, shop: Path, home: Path, log: Path) -> None:
    """Run in a home until that event; what is said goes to a file."""
    with log.open("w", encoding="utf-8") as said:
        os.dup2(said.fileno(), sys.stdout.fileno())
        os.dup2(said.fileno(), sys.stderr.fileno())
    # Spark takes a main module without a file, as of a forked process, for a doctest, and exits
    sys.modules["__main__"].__file__ = __file__
    run(tiny.settings(home), raw=tiny.raw_of(shop), observer=Killer(stage, event))
