"""Who is measured, on what, and what the methods may know: read from the artifacts of a run."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Bools, Ints, Longs
from recsys.artifacts import Artifact
from recsys.candidates.personas import Personas, nearest_of
from recsys.catalogue import Catalogue
from recsys.errors import StageError
from recsys.evaluation import leak
from recsys.evaluation.slices import Slice, by_novelty, by_persona, standard_slices
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
    def of(cls, inputs: dict[str, Artifact], where: str) -> Self:
        """Everyone with a history and a purchase after it, at the moment for measuring.

        A target that is in no item file can't be listed; it stays, and counts as a miss.
        """
        catalogue = parts.catalogue_of(inputs)
        everyone = parts.shoppers_at(inputs, "eval", catalogue)
        wanted = parts.targets_at(inputs, "eval", everyone, catalogue)
        rows = np.flatnonzero(wanted.asked & (everyone.lengths > 0))
        if not len(rows):
            raise StageError(
                "no shopper with a history bought anything after the moment `eval`",
                where=where,
                fix="raise cuts.holdout_share, or give more purchases",
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

    @cached_property
    def popularity(self) -> NDArray[np.int64]:
        """Purchases of each item in what is known (I,)."""
        return np.bincount(self.known.items, minlength=len(self.catalogue))

    def without(self, users: Collection[str]) -> Self:
        """Leave out shoppers who chose what is measured; all stay where nobody else is left."""
        gone = set(users)
        rows = np.flatnonzero([user not in gone for user in self.shoppers.user_ids])
        return self.only(rows) if len(rows) else self

    def only(self, rows: Longs) -> Self:
        """Keep some of the shoppers."""
        return replace(
            self,
            shoppers=self.shoppers.take(rows),
            targets=self.targets[rows],
            tie_safe=self.tie_safe[rows],
        )

    def more_slices(self, personas: Personas | None) -> dict[str, Slice]:
        """Give the parts that only the report tells: by group of taste, and beyond a taste."""
        owner = np.repeat(np.arange(len(self.shoppers)), self.shoppers.lengths)
        return {
            **by_novelty(owner, self.shoppers.items, self.targets, self.catalogue.categories),
            **self._groups(personas),
        }

    def _groups(self, personas: Personas | None) -> dict[str, Slice]:
        if personas is None:
            return {}
        nearest = nearest_of(self.shoppers.vectors, personas.centres)
        return by_persona(nearest, personas.tastes(self.catalogue.categories))

    def slices(self) -> dict[str, Slice]:
        """Give the parts of the shoppers that are measured by themselves."""
        return standard_slices(
            self.shoppers.lengths,
            self.targets,
            self.popularity,
            self.catalogue.categories,
            self.tie_safe,
        )

    def probe(self, seed: int) -> dict[str, Any]:
        """Let the blind models try."""
        return leak.probe(
            self.shoppers,
            self.targets,
            known=self.known,
            item_ids=self.catalogue.item_ids,
            cut=self.cut,
            seed=seed,
            filed=self.filed,
        )
