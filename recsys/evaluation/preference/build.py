"""From answers to questions by a law; what a law can't be kept for is not asked."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Ints, Longs, Objects
from recsys.evaluation.preference.answers import seeded
from recsys.evaluation.preference.laws import Asked, Law, Stock
from recsys.evaluation.preference.questions import Questions
from recsys.shoppers import Shoppers


@dataclass(frozen=True, eq=False)
class Built:
    """Questions, the shoppers' rows that they are about, and how many could not be asked."""

    questions: Questions
    rows: Longs  # (N,) of the shoppers given
    dropped: int


def build(
    law: Law,
    stock: Stock,
    shoppers: Shoppers,
    answers: Ints,
    *,
    ever: Shoppers,
    options: int,
    seed: int,
) -> Built:
    """Draw the distractors of every shopper with an answer (U,); -1: is not asked.

    `ever` holds all purchases at any time: histories keep the latest only, and what she buys later
    is no wrong option either. A shopper's draw depends on her, the law and the seed alone.
    """
    row_of = {str(user): row for row, user in enumerate(ever.user_ids)}
    drawn: list[Ints] = []
    rows = []
    wanted = np.flatnonzero((answers != PAD) & (shoppers.lengths > 0))
    for row in wanted:
        history, answer = shoppers.history(int(row)), int(answers[row])
        if stock.codes[answer] == PAD or answer in history:  # bought again: no question
            continue
        rng = np.random.default_rng(seeded(f"{law.name}:{shoppers.user_ids[row]}", seed))
        bought = ever.history(row_of[str(shoppers.user_ids[row])])
        others = law.draw(Asked(stock, answer, np.append(bought, answer)), options - 1, rng)
        if others is not None:
            drawn.append(others)
            rows.append(row)
    at = np.array(rows, np.int64)
    others = np.stack(drawn) if drawn else np.empty((0, options - 1), np.int32)
    users: Objects = shoppers.user_ids[at]
    made = Questions.mixed(users, answers[at].astype(np.int32), others, seed)
    return Built(made, at, len(wanted) - len(rows))


def first_by_hash(users: Objects, most: int, seed: int) -> Longs:
    """Rows of as many shoppers as are wanted, picked by a seeded hash."""
    order = sorted(range(len(users)), key=lambda row: seeded(str(users[row]), seed))
    return np.sort(np.array(order[:most], np.int64))
