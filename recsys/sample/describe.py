"""Titles and metadata of the items, as a marketplace writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.sample.shop import Shop
from recsys.sample.vocabulary import Vocabulary


@dataclass(frozen=True)
class Label:
    """The words on one item."""

    title: str
    details: dict[str, str]


def labels(words: Vocabulary, shop: Shop, rng: np.random.Generator) -> list[Label]:
    """Label each item; refills name the device they fit."""
    draws = rng.integers(0, 1 << 30, (len(shop.type), 7)).tolist()
    devices = set(shop.fits[shop.fits >= 0].tolist())
    devices |= set(np.flatnonzero(_is_device(words)[shop.type]).tolist())
    models = {item: _model(words, draws[item]) for item in sorted(devices)}
    return [
        _label(
            words,
            shop,
            item,
            draws[item],
            model=models.get(item),
            fits=models.get(int(shop.fits[item])),
        )
        for item in range(len(shop.type))
    ]


def metadata(
    words: Vocabulary, shop: Shop, item: int, label: Label, draw: Sequence[float]
) -> dict[str, Any]:
    """One item in the 2023 layout, but for its id; `draw` holds four numbers from [0, 1)."""
    kind = int(shop.type[item])
    product = words.types[kind]
    price = float(shop.price[item])
    # popularity in the long run, not counted from this shop's own sales
    ratings = int(1 + 40 * shop.popularity[item] * (0.5 + draw[0]))
    return {
        "main_category": words.departments[words.type_department[kind]],
        "title": label.title,
        "average_rating": round(min(5.0, max(1.0, 4.2 + float(shop.quality[item]))), 1),
        "rating_number": ratings,
        "features": list(product.notes),
        "description": [f"{label.title}. {product.notes[-1]}."] if draw[1] < 0.7 else [],
        "price": price if draw[2] < 0.93 else None if draw[2] < 0.97 else "None",
        "store": words.brands[shop.brand[item]] if draw[3] < 0.97 else None,
        "categories": words.path(kind),
        "details": label.details,
    }


def _is_device(words: Vocabulary) -> NDArray[np.bool_]:
    fitted = {product.fits for product in words.types}
    return np.array([product.name in fitted for product in words.types])


def _model(words: Vocabulary, draw: list[int]) -> str:
    return f"{words.series[draw[0] % len(words.series)]} {100 + draw[1] % 90 * 10}"


def _option(words: Vocabulary, kind: int, style: int, draw: int) -> str | None:
    options = words.types[kind].options
    if options is None:
        return None
    choice = words.options[options][style]
    return choice[draw % len(choice)]


def _label(
    words: Vocabulary,
    shop: Shop,
    item: int,
    draw: list[int],
    *,
    model: str | None,
    fits: str | None,
) -> Label:
    kind = int(shop.type[item])
    product = words.types[kind]
    brand = words.brands[shop.brand[item]]
    material = product.materials[draw[2] % len(product.materials)]
    size = product.sizes[draw[3] % len(product.sizes)]
    option = _option(words, kind, int(shop.style[item]), draw[4])
    perk = words.perks[draw[5] % len(words.perks)] if draw[6] % 3 == 0 else None
    name = " ".join(part for part in (brand, model, material, product.noun) if part)
    if fits:
        name += f" for {fits}"
    title = ", ".join(part for part in (name, size, option, perk) if part)
    details = {"Brand": brand, "Material": material, "Size": size}
    if option:
        details["Color" if product.options == "colours" else "Scent"] = option
    if fits:
        details["Compatible Devices"] = f"{brand} {fits}"
    return Label(title, details)
