"""The story of a shopper: everything between her purchases and her list, on one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from personalizer.profiles.generators import policy_of
from personalizer.profiles.history import Item as Known
from personalizer.profiles.labels import Labeller
from recsys.service.console.features import Panel, Profile, panels_of
from recsys.service.console.history import Bought, purchases_of
from recsys.service.console.order import Order, order_of
from recsys.service.console.scene import PROFILE, Scene, values_of


@dataclass(frozen=True)
class Story:
    """One shopper as she is known now, and the list that follows from it."""

    user: str
    now: datetime
    found: str
    known: bool
    panels: list[Panel]
    purchases: list[Bought]
    kinds: list[tuple[str, int]]  # the digestion's material: kinds of items, most frequent first
    profile: Profile | None
    profile_missing: str  # why there is none
    order: Order

    @property
    def stale(self) -> list[Panel]:
        """Views that count as missing."""
        return [panel for panel in self.panels if not panel.good]


def story_of(scene: Scene, user: str) -> Story:
    """Tell the story of a shopper; of a stranger, that she is one and what she gets."""
    row, now = scene.ask(user)
    values = values_of(row)
    shopper = scene.shopper(user, values, now)
    purchases = purchases_of(shopper, scene.catalogue)
    view = row.views.get(PROFILE)
    return Story(
        user=user,
        now=now,
        found=str(row.found),
        known=row.known,
        panels=panels_of(row),
        purchases=purchases,
        kinds=kinds_of(purchases, scene),
        profile=Profile.of(values.get(PROFILE, {})),
        profile_missing=(view.reason or str(view.outcome)) if view else "not in the store",
        order=order_of(scene.recommender, shopper, scene.k),
    )


def kinds_of(purchases: Sequence[Bought], scene: Scene) -> list[tuple[str, int]]:
    """Count purchases by the kinds that a profile may name; what it may not is left out."""
    kind_of = Labeller(policy_of(scene.snapshot.settings.personalizer.profiles))
    catalogue, counts = scene.catalogue, dict[str, int]()
    for bought in purchases:
        at = catalogue.index[bought.item.id]
        known = Known(bought.item.id, catalogue.titles[at], catalogue.categories[at])
        if kind := kind_of(known):
            counts[kind.label] = counts.get(kind.label, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
