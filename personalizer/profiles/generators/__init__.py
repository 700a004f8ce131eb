"""Generators by name; each is imported when it is asked for."""

from pathlib import Path

from personalizer.errors import ProfileError
from personalizer.profiles.config import ProfilesConfig
from personalizer.profiles.generators.base import Answer, Generator, Request
from personalizer.profiles.generators.template import TemplateGenerator
from personalizer.profiles.sensitive import Policy

__all__ = [
    "GENERATORS",
    "Answer",
    "Generator",
    "Request",
    "TemplateGenerator",
    "build",
    "policy_of",
]

GENERATORS = ("template", "openai", "transformers")


def build(config: ProfilesConfig, *, cache: Path | None = None) -> Generator:
    """The generator that the settings name; `cache` remembers answers of a server."""
    if config.generator == "template":
        return TemplateGenerator(policy_of(config))
    if config.generator == "openai":
        from personalizer.profiles.generators.openai import OpenAIGenerator

        return OpenAIGenerator.of(config, cache)
    if config.generator == "transformers":
        from personalizer.profiles.generators.transformers import TransformersGenerator

        return TransformersGenerator.load(config)
    raise ProfileError(
        f"no generator {config.generator!r}",
        where="personalizer.profiles.generator",
        fix=f"one of {', '.join(GENERATORS)}",
    )


def policy_of(config: ProfilesConfig) -> Policy:
    """What may be told, as the settings say."""
    return Policy(frozenset(config.allow_sensitive))
