"""What if she bought this, or were like that? The list anew, and nothing is saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from features.lookup import ShopperRow
from features.push import Purchase
from personalizer.vectors import Encoder
from recsys.arrays import Floats
from recsys.errors import TailorError
from recsys.service.console.history import Item
from recsys.service.console.order import Line, Order, Place, order_of
from recsys.service.console.scene import PROFILE, Scene, values_of
from recsys.shoppers import Shoppers

MOST_WORDS = 2_000  # characters of an edited profile
MOST_ITEMS = 5


@dataclass(frozen=True)
class Change:
    """What is imagined: purchases made at this moment, and a profile in other words."""

    items: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True)
class Shift:
    """Where one item of the new list came from."""

    place: Place
    before: int | None  # its rank in the list as it is now; None: it was not on it

    @property
    def change(self) -> int | None:
        """Places it rose by; None where it is new."""
        return None if self.before is None else self.before - self.place.rank


@dataclass(frozen=True)
class WhatIf:
    """The list as it is, and as it would be."""

    user: str
    change: Change
    bought: list[Item]
    profile: str  # as it stands
    before: Order
    after: Order | None  # None where nothing is imagined yet
    shifts: list[Shift] = field(default_factory=list)
    gone: list[Place] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[Line]:
        """For the picture: ranks before and after."""
        after = {shift.place.item.id for shift in self.shifts}
        stay = [Line(s.place.item.title, (s.before, s.place.rank), kept=True) for s in self.shifts]
        left = [Line(place.item.title, (place.rank, None), kept=False) for place in self.gone]
        return stay + [line for line in left if line.title not in after]


def what_if(scene: Scene, user: str, change: Change, encoder: Encoder | None = None) -> WhatIf:
    """Compute the list as it is and as it would be; `encoder` reads an edited profile."""
    row, now = scene.ask(user)
    values = values_of(row)
    shopper = scene.shopper(user, values, now)
    before = order_of(scene.recommender, shopper, scene.k)
    stands = str(values.get(PROFILE, {}).get("profile") or "")
    change = _checked(scene, change, stands)
    bought = [Item.at(scene.catalogue, scene.catalogue.index[item]) for item in change.items]
    if not (change.items or change.profile):
        return WhatIf(user, change, bought, stands, before, None)
    if change.items:
        values |= imagined(scene, row, change.items, now)
        shopper = scene.shopper(user, values, now)
    notes: tuple[str, ...] = ()
    if change.profile and encoder:
        shopper, notes = _reworded(scene, shopper, change.profile, encoder)
    after = order_of(scene.recommender, shopper, scene.k)
    ranks = {place.item.id: place.rank for place in before.places}
    return WhatIf(
        user,
        change,
        bought,
        stands,
        before,
        after,
        [Shift(place, ranks.get(place.item.id)) for place in after.places],
        [place for place in before.places if place.item.id not in after.ids],
        notes,
    )


def _checked(scene: Scene, change: Change, stands: str) -> Change:
    """Refuse items that the catalogue lacks; a profile that was not touched is no change."""
    for item in change.items:
        if item not in scene.catalogue.index:
            raise TailorError(
                f"no item {item[:80]!r}", where="what-if", fix="search for it by words or by id"
            )
    if len(change.items) > MOST_ITEMS or len(change.profile) > MOST_WORDS:
        raise TailorError(
            "that is more than can be imagined at once",
            where="what-if",
            fix=f"add {MOST_ITEMS} purchases and {MOST_WORDS} characters at most",
        )
    text = " ".join(change.profile.split())
    return replace(change, profile="" if text == " ".join(stands.split()) else text)


def imagined(
    scene: Scene, row: ShopperRow, items: Sequence[str], now: datetime
) -> Mapping[str, Mapping[str, Any]]:
    """The values of the store as purchases made now would leave them."""
    return scene.pusher.imagine(row, [Purchase(row.user_id, item, now) for item in items])


def _reworded(
    scene: Scene, shopper: Shoppers, profile: str, encoder: Encoder
) -> tuple[Shoppers, tuple[str, ...]]:
    """Let the words take the place of the shopper's taste."""
    if encoder.version != scene.catalogue.encoder:
        raise TailorError(
            f"profiles are read by {encoder.version}, items by {scene.catalogue.encoder}",
            where="what-if",
            fix="an edited profile can be tried only where one encoder reads both",
        )
    vector: Floats = encoder.encode([profile])
    return replace(shopper, vectors=vector), (
        "The words take the place of her taste vector: in the search by taste, in the ranker's "
        "similarity to it and in the adapter. Purchases and statistics stay as they are.",
    )
