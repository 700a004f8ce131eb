"""Run the pipeline and die by SIGKILL at one moment, as a lost machine would."""

import os
import signal
import sys
from pathlib import Path

from recsys.pipeline.run import run
from recsys.pipeline.stage import RawFiles
from recsys.settings import load


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
        """Not a moment to die at."""


if __name__ == "__main__":
    stage, event, shop = sys.argv[1:]
    files = RawFiles((Path(shop) / "reviews.jsonl.gz",), (Path(shop) / "items.jsonl.gz",))
    run(load(), raw=files, observer=Killer(stage, event))
