"""The types of features, named as Feast names them.

Here without importing Feast, which takes seconds: a look-up needs no more of the definitions.
"""

from dataclasses import dataclass
from typing import Any

from features.errors import extra


@dataclass(frozen=True)
class Scalar:
    """A type of one value."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Array:
    """A list of values of one type."""

    of: Scalar

    def __str__(self) -> str:
        return f"Array({self.of})"


FeatureType = Scalar | Array

String, Int64, Float32, Float64 = map(Scalar, ("String", "Int64", "Float32", "Float64"))


def feast_type(kind: FeatureType) -> Any:
    """Feast's own object for a type."""
    with extra("features"):
        from feast import types

    if isinstance(kind, Array):
        return types.Array(feast_type(kind.of))
    return getattr(types, kind.name)
