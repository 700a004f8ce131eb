"""The profile of every shopper as of the moment that serves."""

from pathlib import Path

from personalizer.profiles.generators.base import Generator
from personalizer.vectors import Encoder
from recsys.artifacts.store import Draft
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.parts import Inputs
from recsys.pipeline.stage import Context
from recsys.profiles import histories as reading
from recsys.profiles.run import Population, instructed, profiler_of, run, whole_text
from recsys.profiles.state import State
from recsys.results import database
from recsys.settings import Settings


def profiles(context: Context, draft: Draft, generator: Generator | None = None) -> None:
    """Write the profiles that are due, and the view that the feature store reads."""
    if "serve" not in RunMoments.read(context.path("features")).names:
        draft.describe(metrics={"shoppers": 0})
        return
    settings = context.settings
    config = settings.personalizer
    people = population(context.inputs, "serve")
    profiler = profiler_of(
        config.profiles, people.items, cache=answers(settings), generator=generator
    )
    try:
        outcome = run(
            people,
            config.profiles,
            state_of(settings),
            database.of(settings),
            profiler=profiler,
            seed=settings.seed,
            out=draft.path,
            encoder=(lambda: encoder_of(settings)) if config.profiles.embed else None,
            instruct=instructed(config),
            progress=context.progress("profiles"),
        )
    finally:
        profiler.generator.close()
    if outcome.stopped:
        context.observer.event("profiles", "stopped", outcome.stopped)
    draft.describe(metrics=outcome.as_dict(), data_cut=people.as_of.isoformat())


def turn(context: Context) -> int:
    """Changes after a run that left shoppers over, so that the next run goes on."""
    return state_of(context.settings).turn


def population(inputs: Inputs, moment: str) -> Population:
    """All shoppers as they were at a moment."""
    folder = inputs["features"].path / moment
    as_of = getattr(RunMoments.read(inputs["features"].path), moment)
    known = reading.catalogue(inputs["tables"].path / "items", folder / "item_stats")
    found = reading.histories(folder / "user_history", known, as_of)
    vectors = reading.user_vectors(
        inputs["embeddings"].path / moment / "user_embedding", [each.user_id for each in found]
    )
    return Population(found, vectors, list(known.values()), as_of)


def state_of(settings: Settings) -> State:
    """What is kept between runs."""
    return State(settings.home.resolve() / "profiles")


def answers(settings: Settings) -> Path:
    """Where a server's answers are remembered."""
    return settings.home.resolve() / "cache" / "profile_answers.sqlite"


def encoder_of(settings: Settings) -> Encoder:
    """The text encoder, reading a profile to its end, with what it encoded before."""
    from personalizer.cache import CachedEncoder
    from personalizer.encoder import TextEncoder

    file = settings.home.resolve() / "cache" / "profile_embeddings.sqlite"
    return CachedEncoder(TextEncoder(whole_text(settings.personalizer).encoder), file)
