"""A job over a few shoppers, with a generator that counts, or with one behind HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

import recsys.results as results
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators import Answer, Generator, Request, build
from personalizer.profiles.guard import Catalogue, Guard
from personalizer.profiles.history import History, Item
from personalizer.profiles.profiler import Profiler
from recsys.profiles.job import Job
from recsys.profiles.state import State
from tests.openai_server import plausible
from tests.personalizer.profiles.shops import ITEMS, history

HTTP = ProfilesConfig(
    generator="openai", model="m", tries=2, timeout_seconds=2.0, longest_pause_seconds=0.02, batch=4
)


class Counting(Generator):
    """A plausible model that remembers whom it was asked about."""

    def __init__(self, answer: Callable[[str], str | Answer] = plausible, name: str = "m") -> None:
        self._answer, self._name = answer, name
        self.asked: list[Request] = []

    @property
    def version(self) -> str:
        return self._name

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.asked += requests
        found = (self._answer(request.prompt) for request in requests)
        return [a if isinstance(a, Answer) else Answer(a, tokens=50, calls=1) for a in found]

    @property
    def users(self) -> list[str]:
        return [request.history.user_id for request in self.asked]


def engine_at(folder: Path) -> Engine:
    engine = results.connect(results.sqlite_url(folder / "results.db"))
    results.upgrade(engine)
    return engine


def job(folder: Path, generator: Generator | None = None, **settings: object) -> Job:
    config = replace(HTTP, **settings)
    made = generator or build(config)
    profiler = Profiler(made, Guard(Catalogue.of(ITEMS)), style=config.style)
    return Job(profiler, State(folder / "profiles"), engine_at(folder), config)


def shoppers(count: int, length: int = 4) -> list[History]:
    """Each with purchases of her own, the last shopper's the latest."""
    found = []
    for n in range(count):
        items = [ITEMS[(n + k * (1 + n % 3)) % len(ITEMS)] for k in range(length)]
        found.append(history(*items, user=f"u{n:02}", start=19_000 + n))
    return found


def longer(of: History, *items: Item, every: int = 40) -> History:
    """The same shopper after more purchases."""
    bought = [p.item for p in of.purchases]
    last = of.purchases[-1].seconds
    more = [p._replace(seconds=last + every * 86_400 * (n + 1))
            for n, p in enumerate(history(*items).purchases)]  # fmt: skip
    whole = (*of.purchases, *more)
    content = ";".join(f"{p.item.item_id}@{p.seconds}" for p in whole)
    assert len(bought) < len(whole)
    return History(of.user_id, whole, digest=content)
