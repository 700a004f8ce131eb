"""The exception tree of `features`.

    FeaturesError
    ├── MissingExtraError     a part of the product that is not installed
    ├── RawDataError          a raw file that can't be read at all
    │   └── UnknownFormatError
    ├── QualityError          readable, but not fit to publish
    ├── StoreError            the feature store is down, or holds something else than expected
    │   └── SlowStoreError    it did not answer in time
    └── VersionMismatchError  embeddings of one version met an index or model of another

Every error says what happened, where, and what to do about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class FeaturesError(Exception):
    """Base of all errors raised by `features`."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(
            ": ".join(part for part in (where, what) if part) + (f" ({fix})" if fix else "")
        )


class MissingExtraError(FeaturesError, ImportError):
    """A part was touched whose optional dependency is not installed."""


class RawDataError(FeaturesError):
    """A raw file can't be read: truncated, binary, empty or wrongly encoded."""


class UnknownFormatError(RawDataError):
    """No known raw format recognises a file."""


class QualityError(FeaturesError):
    """The data can be read, but is too bad to publish."""


class StoreError(FeaturesError):
    """The feature store can't be reached or was never filled."""


class SlowStoreError(StoreError):
    """The online store did not answer within the deadline."""


def too_late(seconds: float, where: str) -> SlowStoreError:
    """Say how long was waited for a store."""
    return SlowStoreError(f"no answer within {seconds * 1_000:.0f} ms", where=where)


class VersionMismatchError(FeaturesError):
    """Two things that must share a version don't."""


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
