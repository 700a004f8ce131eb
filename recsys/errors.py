"""The exception tree of `recsys`, and the one way errors reach a person.

    TailorError
    ├── ConflictError        packages that must not share an environment do
    ├── SettingsError        an unknown key or a bad value
    ├── ArtifactError        a torn, edited or missing artifact
    │   └── NoReleaseError   nothing was published yet, or nothing intact is left
    ├── RecallError          an approximate index misses too many items
    ├── RerankerError        the model server does not answer, or serves another model
    ├── SampleError          the built-in shop can't be made as asked
    ├── LabelError           labels that no training set can be made of
    ├── StageError           a pipeline stage can't start
    └── HomeBusyError        another run is at work in this home

`features` and `personalizer` have trees of their own; all three share the shape (what, where, fix).
"""

from features.errors import MissingExtraError, extra

__all__ = [
    "ArtifactError",
    "ConflictError",
    "HomeBusyError",
    "LabelError",
    "MissingExtraError",
    "NoReleaseError",
    "RecallError",
    "RerankerError",
    "SampleError",
    "SettingsError",
    "StageError",
    "TailorError",
    "extra",
]


class TailorError(Exception):
    """Base of all errors raised by `recsys`: what happened, where, what to do."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(
            ": ".join(part for part in (where, what) if part) + (f" ({fix})" if fix else "")
        )


class ConflictError(TailorError):
    """Packages that overwrite each other are installed together."""


class SettingsError(TailorError):
    """An unknown setting or a value that can't be used."""


class ArtifactError(TailorError):
    """An artifact is torn, edited or missing."""


class NoReleaseError(ArtifactError):
    """Nothing has been published, or nothing intact is left."""


class RecallError(TailorError):
    """An approximate index misses too many of the items that an exact search finds."""


class RerankerError(TailorError):
    """The model server does not answer, or not with what was asked for."""


class SampleError(TailorError):
    """The built-in shop can't be made as asked."""


class LabelError(TailorError):
    """Labels can't be read, or lack what a training set needs."""


class StageError(TailorError):
    """A pipeline stage can't start."""


class HomeBusyError(TailorError):
    """Another run is at work in this home."""
