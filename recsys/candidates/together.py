"""What several sources say of the same shoppers: the links of all are followed in one step."""

from collections.abc import Sequence

import numpy as np

from recsys.arrays import Floats, Ints
from recsys.candidates.base import Proposal
from recsys.candidates.proposals import LinkedProposal
from recsys.sparse import Rows, products, read_planes, top_of_rows


class Together:
    """Proposals of all sources to some shoppers, and which of them have a vote."""

    def __init__(self, users: int, asked: Sequence[Proposal], voting: Sequence[bool]) -> None:
        self._users, self._count = users, len(asked)
        linked = {at: one for at, one in enumerate(asked) if isinstance(one, LinkedProposal)}
        # those with a vote come first: theirs are the first rows of the product
        self._linked = sorted(linked, key=lambda at: not voting[at])
        self._voters = sum(voting[at] for at in linked)
        self._others = {at: (one, voting[at]) for at, one in enumerate(asked) if at not in linked}
        pairs = [(linked[at].held, linked[at].links) for at in self._linked]
        self._rows = products(pairs) if pairs else None

    def tops(self, k: int) -> list[Ints]:
        """Each source's best k items of each shopper (U, k); (U, 0) of one without a vote."""
        found = dict.fromkeys(range(self._count), np.empty((self._users, 0), np.int32))
        if self._rows is not None and self._voters:
            best, _ = top_of_rows(_first(self._rows, self._voters * self._users), k)
            each = best.reshape(self._voters, self._users, k)
            found.update(zip(self._linked, each, strict=False))
        for at, (proposal, votes) in self._others.items():
            if votes:
                found[at] = proposal.top(k)[0]
        return list(found.values())

    def at(self, items: Ints) -> Floats:
        """Scores of items (U, P) by all sources: (U, P, S)."""
        scores = np.empty((*items.shape, self._count), np.float32)
        if self._rows is not None:
            read_planes(self._rows, items, np.array(self._linked), scores)
        for at, (proposal, _) in self._others.items():
            scores[:, :, at] = proposal.at(items)
        return scores


def _first(rows: Rows, count: int) -> Rows:
    """The first of some sparse rows."""
    indptr = rows.indptr[: count + 1]
    return Rows(indptr, rows.indices[: indptr[-1]], rows.data[: indptr[-1]], (count, rows.shape[1]))
