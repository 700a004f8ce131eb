"""Questions of the tiny shop: two tastes; whoever has a device buys its refill."""

from dataclasses import replace

import numpy as np

from recsys.evaluation.preference.build import build
from recsys.evaluation.preference.laws import Law, Stock, law_named
from recsys.evaluation.preference.task import Asked, Task
from recsys.evaluation.preference.view import View
from recsys.shoppers import Shoppers
from tests.recsys.shop import Shop, make_shoppers, stroll


def known(shop: Shop) -> Shoppers:
    """The generation before, from whom everything is learned."""
    histories, then = stroll(200, seed=3)
    whole = [[*items, last] for items, last in zip(histories, then, strict=True)]
    return make_shoppers(shop.catalogue, whole)


def asked(shop: Shop, law: str | Law, users: int = 80, seed: int = 4, options: int = 4) -> Asked:
    """What shoppers bought next, among others."""
    chosen = law_named(law) if isinstance(law, str) else law
    histories, wanted = stroll(users, seed=seed)
    shoppers = make_shoppers(shop.catalogue, histories)
    names = np.array([f"s{seed}-{name}" for name in shoppers.user_ids], object)
    shoppers = replace(shoppers, user_ids=names)
    elders = known(shop)
    bought = np.bincount(elders.items, minlength=len(shop.catalogue))
    stock = Stock(shop.catalogue, bought, "leaf")
    answers = shop.catalogue.positions(wanted)
    made = build(chosen, stock, shoppers, answers, ever=shoppers, options=options, seed=1)
    view = View(
        shoppers.take(made.rows), made.questions.options, shop.shelf, shop.sources, elders,
        "leaf", 1,
    )  # fmt: skip
    return Asked(view, made.questions)


def task(shop: Shop, law: str) -> Task:
    """Some shoppers measured, others to learn from."""
    return Task(law_named(law), "leaf", asked(shop, law), asked(shop, law, users=160, seed=9))
