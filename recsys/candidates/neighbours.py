"""Sources that follow links from what was bought: one matrix, one view of the history each."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from recsys.candidates.base import CandidateSource, Parts, register
from recsys.candidates.matrices import ItemMatrix
from recsys.candidates.proposals import LinkedProposal
from recsys.catalogue import Catalogue
from recsys.shoppers import Shoppers


@dataclass(frozen=True)
class Linked(CandidateSource):
    """Adds up the links of the purchases, each weighed by the view of the history."""

    matrix: ClassVar[str]  # name among the parts
    view: ClassVar[str] = "recent"  # of `Shoppers.profile`
    reason: ClassVar[str]  # with a place for the purchase that leads to the item most
    links: ItemMatrix
    catalogue: Catalogue

    @classmethod
    def build(cls, parts: Parts) -> Self:
        """Take the matrix of the release."""
        return cls(parts.matrices[cls.matrix], parts.catalogue)

    def ask(self, shoppers: Shoppers) -> LinkedProposal:
        """Follow the links of all purchases at once."""
        view = shoppers.profile(self.view, len(self.catalogue))
        return LinkedProposal(view, self.links.read)

    def because(self, shoppers: Shoppers, row: int, item: int) -> str | None:
        """Name the purchase that leads to the item most."""
        held = shoppers.profile(self.view, len(self.catalogue))
        hers = slice(held.indptr[row], held.indptr[row + 1])
        past = held.indices[hers]
        pull = np.where(past == item, 0, held.data[hers] * self.links.weights(past, item))
        if pull.max(initial=0) <= 0:
            return None
        return self.reason.format(self.catalogue.label(int(past[pull.argmax()])))


@register
class Neighbours(Linked):
    """What others bought next."""

    name = "neighbours"
    matrix = "transitions"
    reason = "often bought after {}"


@register
class NeighboursOfLast(Neighbours):
    """What others bought next, after the last day's purchases alone."""

    name = "neighbours_of_last"
    view = "last"
    vote = 0.0


@register
class NeighboursOfAll(Neighbours):
    """What others bought next, the whole history counting."""

    name = "neighbours_of_all"
    view = "whole"
    vote = 0.0


@register
class NeighboursOfNeighbours(Linked):
    """Two links away: reaches what nobody has bought next yet."""

    name = "neighbours_of_neighbours"
    matrix = "two_steps"
    reason = "bought by shoppers on the same way as {}"


@register
class NeighboursOfNeighboursOfLast(NeighboursOfNeighbours):
    """Two links away from the last day's purchases."""

    name = "neighbours_of_neighbours_of_last"
    view = "last"
    vote = 0.0


@register
class CoPurchases(Linked):
    """What the same shoppers buy, in whatever order."""

    name = "co_purchases"
    matrix = "co_purchases"
    reason = "bought by those who bought {}"


@register
class CoPurchasesOfLast(CoPurchases):
    """What the buyers of the last day's purchases buy."""

    name = "co_purchases_of_last"
    view = "last"
    vote = 0.0


@register
class CoPurchasesOfAll(CoPurchases):
    """What the same shoppers buy, the whole history counting."""

    name = "co_purchases_of_all"
    view = "whole"
    vote = 0.0


@register
class Together(Linked):
    """What is bought on the same day."""

    name = "together"
    matrix = "together"
    reason = "often bought together with {}"
    vote = 0.0


@register
class TogetherWithLast(Together):
    """What is bought on the same day as the last day's purchases."""

    name = "together_with_last"
    view = "last"


@register
class Wording(Linked):
    """Items told in the same words, what sells coming first."""

    name = "wording"
    matrix = "wording_sold"
    reason = "much like {}"


@register
class WordingOfLast(Linked):
    """Items told in the same words as the last day's purchases."""

    name = "wording_of_last"
    matrix = "wording"
    view = "last"
    reason = "much like {}"
    vote = 0.0


@register
class WordingOfAll(WordingOfLast):
    """Items told in the same words as anything in the history."""

    name = "wording_of_all"
    view = "whole"


@register
class SimilarToLast(Linked):
    """Items that read like the last purchases, to the text encoder."""

    name = "similar_to_last"
    embedding = "text"
    matrix = "similar"
    reason = "similar to {}"
    vote = 0.5
