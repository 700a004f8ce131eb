"""The profiles as of a moment: shoppers, groups, rows and vectors, from artifacts to a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from personalizer.config import PersonalizerConfig
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators import Generator, build, policy_of
from personalizer.profiles.guard import Catalogue, Guard
from personalizer.profiles.history import History, Item
from personalizer.profiles.profiler import Profiler
from personalizer.profiles.prompts import embedding_text
from personalizer.profiles.tasks import TASKS
from personalizer.vectors import Encoder
from recsys.arrays import Floats
from recsys.profiles.job import PERSONA, USER, Job, Outcome, joined, named
from recsys.profiles.personas import Personas, find
from recsys.profiles.state import Kept, State
from recsys.profiles.view import VIEW, Row, rows_of, write

__all__ = ["Population", "instructed", "profiler_of", "run"]

Progress = Callable[[int, int], None]
# encoders that read an instruction as one; to others it is most of the text, and all look alike
_FOLLOW = ("qwen3-embedding", "instruct", "instructor", "gte-qwen", "e5-mistral")


@dataclass(frozen=True)
class Population:
    """All shoppers as of a moment, with their tastes."""

    histories: Sequence[History]
    vectors: Floats  # (U, D)
    items: Sequence[Item]
    as_of: datetime


def profiler_of(
    config: ProfilesConfig,
    items: Sequence[Item],
    *,
    cache: Path,
    generator: Generator | None = None,
) -> Profiler:
    """The profiler that the settings describe."""
    chosen = generator or build(config, cache=cache)
    names = Catalogue() if chosen.trusted else Catalogue.of(items)
    guard = Guard(names, policy_of(config), config.max_words)
    return Profiler(chosen, guard, style=config.style, max_new_tokens=config.max_new_tokens)


def run(
    people: Population,
    config: ProfilesConfig,
    state: State,
    engine: Engine,
    *,
    profiler: Profiler,
    seed: int,
    out: Path,
    encoder: Callable[[], Encoder] | None = None,
    instruct: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Write what is due, then the rows of everybody."""
    job = Job(profiler, state, engine, config)
    enough = [len(each.purchases) >= config.min_purchases for each in people.histories]
    known = [each for each, is_enough in zip(people.histories, enough, strict=True) if is_enough]
    outcome = job.run(known, USER, progress)
    personas = _personas(people, np.array(enough, bool), config, seed)
    groups = list(named([*personas.groups, personas.everyone], "group-"))
    told = [each for each in groups if each.purchases]
    outcome = joined(outcome, job.run(told, PERSONA))
    rows = _rows(people, personas, groups, state)
    vectors, version = _embed(rows, encoder, instruct)
    write(rows, vectors, version, people.as_of, out / VIEW)
    if outcome.waiting:
        state.take_turn()
    return outcome


def _personas(
    people: Population, enough: np.ndarray, config: ProfilesConfig, seed: int
) -> Personas:
    known = [each for each, is_enough in zip(people.histories, enough, strict=True) if is_enough]
    return find(known, people.vectors[enough], most=config.most_personas, seed=seed)


def _rows(
    people: Population, personas: Personas, groups: Sequence[History], state: State
) -> list[Row]:
    own = state.get(USER, [each.user_id for each in people.histories])
    kept = state.get(PERSONA, [each.user_id for each in groups])
    of_group: list[Kept | None] = [kept.get(each.user_id) for each in groups]
    seen = max((each.last_seconds for each in people.histories), default=0)
    nearest = personas.nearest(people.vectors)
    return rows_of(people.histories, own, of_group, nearest, crowd_seen=seen)


def _embed(
    rows: Sequence[Row], encoder: Callable[[], Encoder] | None, instruct: bool
) -> tuple[Floats | None, str]:
    if encoder is None or not rows:
        return None, ""
    made = encoder()
    about = TASKS["purchase"].description
    texts = [embedding_text(about, r.kept.profile) if instruct else r.kept.profile for r in rows]
    version = f"{made.version}+instruction" if instruct else made.version
    return made.encode(texts), version


def instructed(config: PersonalizerConfig) -> bool:
    """Whether profiles are embedded under the paper's instruction."""
    choice, name = config.profiles.instruct, (config.encoder.path or config.encoder.name).lower()
    return choice == "always" or (choice == "auto" and any(each in name for each in _FOLLOW))


def whole_text(config: PersonalizerConfig) -> PersonalizerConfig:
    """The same encoder, reading a profile to its end: titles are cut much shorter."""
    return replace(config, encoder=replace(config.encoder, max_tokens=512))
