"""`tailor demo`: the built-in shop, written once, then the whole way over it."""

from dataclasses import dataclass

from recsys.pipeline.observer import Observer
from recsys.pipeline.run import RunResult, run
from recsys.pipeline.stage import RawFiles
from recsys.settings import Settings

USERS, ITEMS = 2_000, 800


@dataclass(frozen=True)
class DemoResult:
    """A run over the built-in shop."""

    run: RunResult
    raw: RawFiles


def run_demo(settings: Settings, observer: Observer) -> DemoResult:
    """Write the shop (same seed, same bytes) and run all stages over it."""
    from recsys.sample import write

    folder = settings.home / "raw" / f"shop-{USERS}-{ITEMS}-{settings.seed}"
    observer.event("sample", "start")
    if (folder / "truth.json").exists():
        observer.event("sample", "skip")
    else:
        write(folder, users=USERS, items=ITEMS, seed=settings.seed)
        observer.event("sample", "done")
    raw = RawFiles((folder / "reviews.jsonl.gz",), (folder / "items.jsonl.gz",))
    return DemoResult(run(settings, raw=raw, observer=observer), raw)
