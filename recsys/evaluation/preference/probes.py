"""What somebody reaches who looks at the options alone, or only at categories: the blind guessers.

A law that lets one of them win says less about the shopper than its accuracy seems to.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.arrays import Ints
from recsys.evaluation.intervals import mean_interval
from recsys.evaluation.preference.answers import LEAF
from recsys.evaluation.preference.figures import cleaned, picks
from recsys.evaluation.preference.questions import Questions
from recsys.evaluation.preference.scorers.simple import CategoryOverlap, Random
from recsys.evaluation.preference.view import View


def probe(view: View, questions: Questions) -> dict[str, Any]:
    """Accuracy of each blind guesser, with its interval, and the chance it is read against."""
    ties = Random().score(view)
    found = {
        name: _reached(values, questions.right, ties, view.seed)
        for name, values in _blind(view, questions.options).items()
    }
    found |= {
        f"position_{place + 1}": _right(questions.right == place, view.seed)
        for place in range(questions.options.shape[1])
    }
    chance = 1 / questions.options.shape[1]
    above = [name for name, each in found.items() if each["ci"][0] > chance]
    return {
        "chance": chance,
        "guessers": found,
        "best": max((each["accuracy"] for each in found.values()), default=chance),
        "above_chance": above,
        "category_overlap": found["category_overlap"],
        "position": max(found[f"position_{n + 1}"]["accuracy"] for n in range(len(ties[0])))
        if len(ties)
        else chance,
        "popularity": found["popularity_most"]["accuracy"],
        "length": max(found[f"length_{end}"]["accuracy"] for end in ("longest", "shortest")),
        "price": max(found[f"price_{end}"]["accuracy"] for end in ("highest", "lowest")),
    }


def _blind(view: View, options: Ints) -> dict[str, NDArray[np.float64]]:
    """What each guesser goes by; nan where there is nothing to go by."""
    catalogue = view.catalogue
    sold = view.sold[options].astype(np.float64)
    length = np.array([len(title) for title in catalogue.titles], np.float64)[options]
    price = np.asarray(catalogue.prices, np.float64)[options]
    overlap = CategoryOverlap()
    return {
        "popularity_most": sold,
        "popularity_least": -sold,
        "length_longest": length,
        "length_shortest": -length,
        "price_highest": price,
        "price_lowest": -price,
        "category_overlap": overlap.score(view),
        "leaf_overlap": overlap.score(view) if view.level == LEAF else overlap.at(view, LEAF),
    }


def _reached(
    values: NDArray[np.float64], right: Ints, ties: NDArray[np.float64], seed: int
) -> dict[str, Any]:
    """A guesser that can't tell guesses: the tie-breaking hash stands for it."""
    picked = picks(cleaned(values), ties)
    picked = np.where(picked < 0, ties.argmax(axis=1), picked)
    return _right(picked == right, seed)


def _right(hits: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    interval = mean_interval(hits.astype(np.float64), seed=seed)
    return {"accuracy": interval.mean, "ci": interval.bounds}
