"""Who is measured, on what, and what the methods may know: read from the artifacts of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recsys.arrays import Bools, Ints
from recsys.artifacts import Artifact
from recsys.catalogue import Catalogue
from recsys.errors import StageError
from recsys.pipeline import parts
from recsys.pipeline.moments import RunMoments
from recsys.shoppers import Shoppers
from recsys.tables import read_table


@dataclass(frozen=True, eq=False)
class Case:
    """One protocol on one body of data."""

    catalogue: Catalogue
    shoppers: Shoppers
    targets: Ints  # (U,) -1 where the catalogue does not have it: a miss for all
    tie_safe: Bools  # (U,)
    known: Shoppers
    cut: datetime | None  # where all shoppers share one
    filed: Sequence[str] | None = None  # items in file order

    @classmethod
    def of(cls, inputs: dict[str, Artifact]) -> "Case":
        """Everyone with a history and a purchase after it, at the moment for measuring."""
        catalogue = parts.catalogue_of(inputs)
        everyone = parts.shoppers_at(inputs, "eval", catalogue)
        wanted = parts.targets_at(inputs, "eval", everyone, catalogue)
        rows = np.flatnonzero(wanted.asked & (everyone.lengths > 0))
        if not len(rows):
            raise StageError(
                "no shopper has both a history and a purchase to predict",
                where="evaluate",
                fix="give more purchases",
            )
        moments = RunMoments.read(inputs["features"].path)
        return cls(
            catalogue,
            everyone.take(rows),
            wanted.first[rows],
            wanted.tie_safe[rows],
            parts.known_at(inputs, "eval", catalogue),
            moments.eval if moments.protocol == "temporal" else None,
            read_table(inputs["tables"].path / "items", ["item_id"])["item_id"].to_pylist(),
        )
