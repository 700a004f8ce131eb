"""Questions: a shopper, a few products, and which of them she bought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from recsys.arrays import Bools, Ints, Longs, Objects
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.preference.answers import seeded

with extra("recsys"):
    import pyarrow as pa

ORDER = "order of the options"


@dataclass(frozen=True, eq=False)
class Questions:
    """N questions of K options each, by position in the catalogue."""

    user_ids: Objects  # (N,)
    options: Ints  # (N, K)
    right: Ints  # (N,) place of the answer

    def __len__(self) -> int:
        return len(self.user_ids)

    @property
    def answers(self) -> Ints:
        """The right option of each question."""
        found: Ints = self.options[np.arange(len(self)), self.right]
        return found

    @property
    def positions(self) -> list[int]:
        """How often the answer stands in each place."""
        counts = np.bincount(self.right, minlength=self.options.shape[1])
        return [int(count) for count in counts]

    def take(self, rows: Longs | Bools) -> Self:
        """Some of the questions."""
        return type(self)(self.user_ids[rows], self.options[rows], self.right[rows])

    @classmethod
    def mixed(cls, user_ids: Objects, answers: Ints, others: Ints, seed: int) -> Self:
        """Put the answer among the distractors (N, K - 1): every place is right as often."""
        rng = np.random.default_rng([seed, seeded(ORDER, seed) % (1 << 32)])
        many, width = len(answers), others.shape[1] + 1
        right = rng.permutation(np.arange(many) % width).astype(np.int32)
        options = np.empty((many, width), np.int32)
        place = np.arange(width) == right[:, None]
        options[place] = answers
        options[~place] = rng.permuted(others, axis=1).ravel()
        return cls(user_ids, options, right)

    def table(self, catalogue: Catalogue, test: Bools) -> Any:
        """As a table, with the ids that the catalogue's positions stand for."""
        ids = np.array(catalogue.item_ids, object)
        return pa.table(
            {
                "user_id": self.user_ids.tolist(),
                "option_ids": ids[self.options].tolist(),
                "right": self.right,
                "answer_id": ids[self.answers].tolist(),
                "split": np.where(test, "test", "validation").tolist(),
            }
        )

    @classmethod
    def of_table(cls, table: Any, catalogue: Catalogue) -> Self:
        """From such a table."""
        rows: Sequence[Sequence[str]] = table["option_ids"].to_pylist()
        options = np.array([catalogue.positions(row) for row in rows], np.int32)
        users = np.array(table["user_id"].to_pylist(), object)
        return cls(users, options, np.asarray(table["right"].to_numpy(), np.int32))
