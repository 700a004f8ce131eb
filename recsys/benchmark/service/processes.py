"""The processes that are measured, and killed: the service, a model server, an online store."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from recsys.errors import StageError

READY_SECONDS = 180.0
REDIS = "redis-server"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A process that can be killed and started again as it was."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: Path
    ) -> None:
        self._command, self._output = command, output
        self._environment = {**os.environ, "PYTHONPATH": _here(), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def start(self) -> None:
        """Start it."""
        with self._output.open("ab") as out:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdout=out, stderr=out
            )

    def end(self, how: signal.Signals) -> None:
        """Signal it, and wait until it is gone."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def ready(self, url: str) -> None:
        """Wait until it answers with 200."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of ours
                    return
            except (OSError, urllib.error.URLError):
                if self.process is None or self.process.poll() is not None:
                    break
                time.sleep(0.1)
        tail = self._output.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise StageError(f"not ready: {tail[0]}", where=" ".join(self._command[:6]))

    def mib(self) -> float:
        """Memory of the process and its children, of shared pages its share."""
        assert self.process is not None
        return round(_pss(self.process.pid) / 1024, 1)


def tailor(*words: str) -> list[str]:
    """The command line, by this very code."""
    return [
        sys.executable,
        "-c",
        "import sys; from recsys.cli import main; sys.exit(main())",
        *words,
    ]


def redis(port: int, folder: Path) -> list[str]:
    """A Redis that loses nothing it has acknowledged."""
    return [
        REDIS, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--appendonly", "yes", "--appendfsync", "always", "--save", "",
    ]  # fmt: skip


def _here() -> str:
    return os.pathsep.join(filter(None, sys.path))


def _pss(pid: int) -> int:
    """KiB of a process and its children."""
    folder = Path(f"/proc/{pid}")
    lines = (folder / "smaps_rollup").read_text().splitlines()
    mine = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    tasks = (folder / "task").iterdir()
    children = " ".join((task / "children").read_text() for task in tasks).split()
    return mine + sum(_pss(int(child)) for child in children)
