"""What is distinctive in a history, counted once for all sentences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from personalizer.profiles.history import History
from personalizer.profiles.labels import Kind, Labeller, short

__all__ = ["Facts", "Rhythm", "facts_of"]

DAY = 86_400
# a history is long enough to have a rhythm or a turn
_LEAST_DAYS, _LEAST_TURN = 4, 6


@dataclass(frozen=True)
class Rhythm:
    """When a shopper buys."""

    days: int  # on how many different days
    span: int  # from the first to the last, in days
    gap: float  # days between two of them, on average
    unrest: float  # deviation of the gaps, as a share of their mean


@dataclass(frozen=True)
class Facts:
    """Counts over one history; all lists are from most to least."""

    purchases: int
    labels: Sequence[tuple[str, int]]
    aisles: Sequence[tuple[str, int]]
    labels_of: dict[str, list[str]]  # aisle -> its labels, most bought first
    brands: Sequence[tuple[str, int]]
    branded: int
    brand_labels: dict[str, set[str]]
    price: float | None  # mean level, 0..1
    price_spread: float
    reordered: str  # label of a product that was bought again, most often
    reorders: int  # how often that product was bought
    rhythm: Rhythm
    turn: tuple[str, str]  # from an aisle or kind to another, lately; empty where there is none
    many: int

    @property
    def top_share(self) -> float:
        """Share of the purchases that are of the first kind."""
        return self.labels[0][1] / self.purchases

    @property
    def variety(self) -> float:
        """How many kinds per purchase."""
        return len(self.labels) / self.purchases


def facts_of(history: History, kind_of: Labeller) -> Facts | None:
    """Count; None where nothing may be said of any purchase."""
    known = [(kind, bought) for bought in history.purchases if (kind := kind_of(bought.item))]
    if not known:
        return None
    kinds = [kind for kind, _ in known]
    groups = _groups(kinds)
    said = [short(kind.label) for kind in kinds]
    labels = Counter(said)
    aisles = Counter(groups)
    labels_of: dict[str, list[str]] = {}
    pairs = Counter(zip(groups, said, strict=True))
    for (group, label), _ in pairs.most_common():
        labels_of.setdefault(group, []).append(label)
    branded = [kind for kind in kinds if kind.brand]
    brand_labels: dict[str, set[str]] = {}
    for kind in branded:
        brand_labels.setdefault(kind.brand, set()).add(short(kind.label))
    levels = [b.item.price_level for _, b in known if b.item.price_level is not None]
    reordered, reorders = _reordered([(short(kind.label), b.item.item_id) for kind, b in known])
    return Facts(
        purchases=len(kinds),
        labels=labels.most_common(),
        aisles=aisles.most_common(),
        labels_of=labels_of,
        brands=Counter([kind.brand for kind in branded]).most_common(),
        branded=len(branded),
        brand_labels=brand_labels,
        price=sum(levels) / len(levels) if len(levels) * 2 > len(kinds) else None,
        price_spread=_deviation(levels),
        reordered=reordered,
        reorders=reorders,
        rhythm=_rhythm([bought.seconds for _, bought in known]),
        turn=_turn(groups, said),
        many=history.many,
    )


def _groups(kinds: Sequence[Kind]) -> list[str]:
    """Departments where a shopper goes to several, else the aisles of the one."""
    if len({kind.department for kind in kinds}) > 1:
        return [kind.department for kind in kinds]
    return [kind.aisle for kind in kinds]


def _reordered(bought: Sequence[tuple[str, str]]) -> tuple[str, int]:
    ((label, _), times) = Counter(bought).most_common(1)[0]
    return (label, times) if times > 1 else ("", 0)


def _rhythm(seconds: Sequence[int]) -> Rhythm:
    days = sorted({second // DAY for second in seconds if second})
    gaps = [later - earlier for earlier, later in pairwise(days)]
    if not gaps:
        return Rhythm(len(days), 0, 0.0, 0.0)
    gap = sum(gaps) / len(gaps)
    return Rhythm(len(days), days[-1] - days[0], gap, _deviation(gaps) / gap)


def _turn(groups: Sequence[str], labels: Sequence[str]) -> tuple[str, str]:
    """What the last third is about, where the first two thirds were about something else."""
    if len(groups) < _LEAST_TURN:
        return "", ""
    for names in (groups, labels):
        cut = len(names) - max(3, len(names) // 3)
        (old, olds), (new, news) = _most(names[:cut]), _most(names[cut:])
        late, early = news / (len(names) - cut), names[:cut].count(new) / cut
        if old != new and late >= 0.6 and early <= 0.15 and olds / cut >= 0.3:
            return old, new
    return "", ""


def _most(names: Sequence[str]) -> tuple[str, int]:
    return Counter(names).most_common(1)[0]


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)
