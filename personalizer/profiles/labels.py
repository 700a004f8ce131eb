"""What kind of product an item is, in a shopper's words: "face cleansers", not "Cleansers".

From the categories where there are any, else from the title. A category that tells a sensitive
attribute is not named, nor is any below it: the nearest harmless one above takes its place.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from personalizer.profiles.history import Item
from personalizer.profiles.lexicon import noun_of, plural, sold_by
from personalizer.profiles.sensitive import Policy
from personalizer.profiles.untrusted import clean, is_plain_name
from personalizer.profiles.words import word_set

__all__ = ["Kind", "Labeller", "short"]

_FORMS = word_set("forms")
_PLACES = {
    "face": "face", "eyes": "eye", "lips": "lip", "body": "body", "nails": "nail", "bath": "bath",
    "sun": "sun", "hands & nails": "hand and nail", "hair care": "hair", "nail tools": "nail",
    "nail treatments": "nail", "makeup brushes & tools": "makeup", "makeup": "makeup",
    "bath & body": "bath and body", "skin care": "skin care", "shaving": "shaving", "cats": "cat",
    "dogs": "dog", "feet": "foot", "hair color": "hair color", "mirrors": "mirror",
    "hair coloring tools": "hair coloring", "bathing accessories": "bath", "fragrance": "fragrance",
    "eyelash tools": "eyelash",
}  # fmt: skip
_VAGUE = {
    "combinations", "complexes", "fillers", "sports", "fluids", "other", "general", "accessories",
    "men's", "women's", "unisex", "growth formula", "claws", "sets", "miscellaneous", "all", "more",
    "men", "women", "activators", "color correctors", "home", "products",
}  # fmt: skip
_PARTS = {"face", "eyes", "lips", "body", "nails", "sun", "hands & nails", "feet"}
_SAID = {
    ("cleansers", "bars"): "cleansing bars", ("cleansers", "gels"): "cleansing gels",
    ("cleansers", "cloths & towelettes"): "cleansing cloths",
    ("sun", "skin protection"): "sun protection",
    ("creams & moisturizers", "fluids & lotions"): "face lotions",
    ("eyes", "puffiness treatments"): "eye puffiness treatments",
    ("sun", "after sun"): "after-sun care", ("eyes", "combinations"): "eye care",
}  # fmt: skip
_KEPT = {"spf", "led", "uv", "usb", "hdmi", "tv", "dvd", "cd", "diy", "3d", "bb", "cc", "hepa"}


class Kind(NamedTuple):
    """What an item is, from narrow to broad, and a brand that may be named."""

    label: str
    aisle: str
    department: str
    brand: str


def short(label: str) -> str:
    """The first half of a double name, for running text: creams, not creams and moisturizers."""
    first, found, _ = label.partition(" and ")
    return first if found and first.endswith("s") and not first.endswith("ss") else label


class Labeller:
    """Labels of items, each worked out once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._known: dict[Item, Kind | None] = {}

    def __call__(self, item: Item) -> Kind | None:
        """The kind of an item; None where nothing may or can be said of it."""
        if item not in self._known:
            self._known[item] = self._work_out(item)
        return self._known[item]

    def _work_out(self, item: Item) -> Kind | None:
        path = list(self._harmless(item.categories))
        brand = self.brand(item.brand)
        if len(path) > 1 or (path and not self._titled(item)):
            return Kind(
                _label(path), _said(path[1] if len(path) > 1 else path[0]), _said(path[0]), brand
            )
        if item.categories and not path:
            return None
        found = self._titled(item)
        if found is None:
            return None
        return Kind(found.label, found.aisle, _said(path[0]) if path else found.aisle, brand)

    def _titled(self, item: Item) -> Kind | None:
        """By the title alone, without its sensitive words."""
        title = self.policy.without(clean(item.title))
        if sold := sold_by(title):
            return Kind(sold.label, sold.aisle, sold.aisle, "")
        noun = noun_of(title)
        return Kind(plural(noun), "other things", "other things", "") if noun else None

    def _harmless(self, categories: Sequence[str]) -> Iterator[str]:
        for name in categories:
            told = clean(name)
            if not told or told != " ".join(name.split()) or len(told) > 48:
                return
            if self.policy.in_category(told):
                return
            yield told

    def brand(self, name: str) -> str:
        """A brand as it may be quoted; empty where it may not."""
        name = name.strip()
        return name if is_plain_name(name) and not self.policy.in_text(name) else ""


def _label(path: Sequence[str]) -> str:
    leaf = path[-1].lower()
    if said := _SAID.get((path[-2].lower(), leaf) if len(path) > 1 else ("", leaf)):
        return said
    if leaf in _VAGUE and len(path) > 2:
        return _label(path[:-1])
    if leaf in _PARTS and len(path) > 1:
        above = _said(path[-2])
        return f"{_PLACES[leaf]} {'care' if above.endswith(' care') else above}"
    words = leaf.replace("&", " ").replace(",", " ").split()
    if all(word in _FORMS or word == "and" for word in words):
        for above in reversed(path[:-1]):
            if place := _PLACES.get(above.lower()):
                return f"{place} {_said(path[-1])}"
    return _said(path[-1])


def _said(name: str) -> str:
    """A category in running text; of "a, b & c" the first two, because commas part categories."""
    first, *rest = name.split(",")
    if rest and (second := rest[0].split("&")[0].strip()):
        name = f"{first} & {second}"
    words = name.replace("&", "and").split()
    return " ".join(
        word if word.isupper() and word.lower() in _KEPT else word.lower() for word in words
    )
