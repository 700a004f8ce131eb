"""A run as a person sees it: rich bars on a terminal, one log line per stage elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from recsys import log
from recsys.cli.output import errors

_LOG = log.get("recsys.run")
_DONE = {
    "done": "[green]done[/]",
    "skip": "[dim]unchanged, skipped[/]",
    "kept": "[dim]as it stands[/]",
}


class Display:
    """Observer of a run that draws it."""

    def __init__(self) -> None:
        self._live = errors().is_terminal
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=errors(),
            disable=not self._live,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def event(self, stage: str, event: str, detail: str = "") -> None:
        """Draw or log what happened."""
        if stage not in self._tasks:
            self._started[stage] = time.monotonic()
            self._tasks[stage] = self._bars.add_task(stage, total=None, state="")
        task = self._tasks[stage]
        if event in _DONE:
            self._bars.update(task, total=1, completed=1, state=f"{_DONE[event]} {detail}".rstrip())
        else:
            self._bars.update(task, state=f"[dim]{detail or event}[/]")
        if not self._live and (event in _DONE or event == "method"):
            seconds = round(time.monotonic() - self._started[stage], 1)
            _LOG.info(f"stage {event}", stage=stage, seconds=seconds, **_fact(detail))

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar."""
        if stage in self._tasks:
            self._bars.update(self._tasks[stage], completed=done, total=total)


def _fact(detail: str) -> dict[str, str]:
    return {"detail": detail} if detail else {}
