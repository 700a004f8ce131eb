"""The shoppers of a view in the words of `personalizer`: histories, profiles, questions."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from personalizer.profiles.history import History, Item, Purchase
from recsys.arrays import Floats
from recsys.catalogue import Catalogue
from recsys.evaluation.preference.view import View
from recsys.shoppers import Shoppers

if TYPE_CHECKING:
    from personalizer.methods import Question

# the paper's; a model that was only taught titles would not know what to make of it
ASKED = "Which product is the person likely to buy?"


def histories(view: View) -> list[History]:
    """What each shopper bought, oldest first, without the answer."""
    return histories_of(view.catalogue, view.shoppers, view.shelf.stats.price_level)


def histories_of(
    catalogue: Catalogue, shoppers: Shoppers, levels: Floats | None = None
) -> list[History]:
    """What shoppers bought, oldest first; of price levels (I,) where they are known."""

    @cache
    def item(at: int) -> Item:
        level = np.nan if levels is None else float(levels[at])
        return Item(
            catalogue.item_ids[at],
            catalogue.titles[at],
            catalogue.categories[at],
            catalogue.brands[at] or "",
            level if np.isfinite(level) else None,
        )

    return [
        History(
            str(user),
            tuple(
                Purchase(item(int(shoppers.items[at])), int(shoppers.times[at]))
                for at in range(shoppers.indptr[row], shoppers.indptr[row + 1])
            ),
        )
        for row, user in enumerate(shoppers.user_ids)
    ]


def profiles(view: View) -> list[str]:
    """A profile of each, by the template: the same for every method that reads one."""
    return written(histories(view))


def profiles_of(catalogue: Catalogue, shoppers: Shoppers) -> list[str]:
    """The same of shoppers of whom only the history is known."""
    return written(histories_of(catalogue, shoppers))


def written(some: Sequence[History]) -> list[str]:
    """A profile of each history, by the template."""
    from personalizer.profiles.config import ProfilesConfig
    from personalizer.profiles.generators.template import TemplateGenerator
    from personalizer.profiles.guard import Catalogue, Guard
    from personalizer.profiles.profiler import Profiler, Subject
    from personalizer.profiles.sensitive import Policy

    policy = Policy(frozenset())
    guard = Guard(Catalogue(), policy, ProfilesConfig().max_words)
    profiler = Profiler(TemplateGenerator(policy), guard)
    return [made.profile for made in profiler.write([Subject(each) for each in some])]


def questions(view: View, *, profiled: bool, chat: bool) -> "list[Question]":
    """The view's questions for the ways of personalising."""
    from personalizer.methods import Question

    titles, shoppers = view.catalogue.titles, view.shoppers
    told = profiles(view) if profiled else [""] * len(shoppers)
    return [
        Question(
            np.asarray(view.tastes[row], np.float32),
            told[row],
            tuple(titles[item] for item in shoppers.history(row) if titles[item]),
            ASKED if chat else "",
            tuple(titles[item] for item in options),
        )
        for row, options in enumerate(view.options)
    ]
