"""The exception tree of `personalizer`.

    PersonalizerError
    ├── MissingExtraError  a part of the product that is not installed
    ├── WeightsError       model files that are missing or not what they should be
    ├── TrainingError      training that diverged or can't start
    └── ProfileError       a task, method, style or generator of profiles that can't be used
        └── GeneratorError a generator that can't answer: refused, unreachable or misconfigured

Every error says what happened, where, and what to do about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class PersonalizerError(Exception):
    """Base of all errors raised by `personalizer`."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(
            ": ".join(part for part in (where, what) if part) + (f" ({fix})" if fix else "")
        )


class MissingExtraError(PersonalizerError, ImportError):
    """A part was touched whose optional dependency is not installed."""


class WeightsError(PersonalizerError):
    """Model files are missing, torn or of another model."""


class TrainingError(PersonalizerError):
    """Training diverged, or its input can't be trained on."""


class ProfileError(PersonalizerError):
    """A task, method, style or generator of profiles that can't be used as asked."""


class GeneratorError(ProfileError):
    """A generator of profiles can't answer at all."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a failed import inside the block into an error that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the package {error.name!r} is not installed",
            where=f"extra {name!r}",
            fix=f'pip install "tailor[{name}]"',
        ) from error
