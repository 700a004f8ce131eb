"""A day added is a whole run, day after day: every table is the same to the last digit.

By Spark in the same order, too; by Sail, which adds days without Java, in an order of its own.
"""

import random
from datetime import timedelta
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.cuts import serving
from features.daily import Step, advance
from features.fading import Fading
from features.history import write_moment
from features.settings import HistorySettings
from tests.features.shop import day, sailing

pytestmark = [pytest.mark.spark, pytest.mark.slow]

START = day("2024-03-01")
SETTINGS = HistorySettings(
    recent_items=4, most_purchases=9, neighbours=3, taste_names=2, pair_half_life_days=8.0034
)
"""By this half-life, links of a year ago have faded to nothing, and the base moves on day two."""
Shelf = dict[str, tuple[list[str], str | None, float | None]]
KEYS = ("user_id", "item_id", "neighbour_id", "day")
VIEWS = {
    "user_purchase_stats", "user_history", "item_stats", "item_days", "transitions", "together",
    "co_purchases",
}  # fmt: skip


def history(rng: random.Random) -> list[str]:
    """A year of purchases of few shoppers and items, some told late; one shopper has too many."""
    rows = []
    for n in range(160):
        user = "bot" if n % 8 == 0 else f"u{rng.randrange(14)}"
        when = START + timedelta(days=rng.randrange(-370, 5), hours=rng.randrange(24))
        late = f" known={(when + timedelta(days=rng.randrange(3))).isoformat()[:-6]}"
        rating = f" rating={rng.randrange(1, 6)}" if n % 3 else ""
        row = f"{user} i{min(rng.randrange(20), rng.randrange(20))} {when.isoformat()[:-6]}"
        rows.append(row + rating + (late if n % 5 == 0 else ""))
    # what slides out of each window on the first, second and third day, of shoppers otherwise still
    rows += [
        f"still{n} i{n} {(START + timedelta(days=n - window)).date()}"
        for n in range(3)
        for window in (7, 30, 90, 365)
    ]
    return rows


def shelves() -> list[Shelf]:
    """The items as each day finds them: on the second one is dearer, and of another brand."""
    shelf: Shelf = {
        f"i{n}": (["Home", f"Kind {n % 3}"] if n % 7 else [], f"Brand {n % 2}" if n % 4 else None,
                  float(n % 6) if n % 5 else None)
        for n in range(22)
    }  # fmt: skip
    changed: Shelf = shelf | {"i3": (["Home", "Kind 1"], "Another", 8.0)}
    return [shelf, shelf, changed, changed]


def year() -> list[str]:
    """The history, and two items sold for the first time on the second day."""
    return [*history(random.Random(4)), "u1 i20 2024-03-02T10:00", "new i21 2024-03-02T11:00"]


@pytest.fixture(scope="module")
def wholes(purchases, items, tmp_path_factory) -> Path:
    """Whole runs at the start and after each of three days: folders 0 to 3."""
    folder, everything = tmp_path_factory.mktemp("whole"), purchases(*year()).cache()
    for number, shelf in enumerate(shelves()):
        cut = serving(everything, START + timedelta(days=number))
        write_moment(cut, items(**shelf), settings=SETTINGS, out=folder / str(number))
    everything.unpersist()
    return folder


def test_days_added_one_by_one_are_a_whole_run(purchases, items, wholes, tmp_path: Path, spark):
    bases = {
        Fading.at(START + timedelta(days=n), SETTINGS.pair_half_life_days).base for n in range(4)
    }
    assert len(bases) == 2
    everything = purchases(*year()).cache()
    before, *later = shelves()
    views = wholes / "0"
    for number, now in enumerate(later, start=1):
        start, end = (START + timedelta(days=n) for n in (number - 1, number))
        step = Step(start, end, everything, items(**before), items(**now))
        advance(step, views, SETTINGS, tmp_path / str(number))
        views, before = tmp_path / str(number), now
        _same(views, wholes / str(number))
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == 1  # ours alone
    everything.unpersist()


def test_days_added_by_sail_are_whole_runs_by_spark(purchases, items, wholes, tmp_path: Path):
    purchases(*year()).write.parquet(str(tmp_path / "purchases"))
    for number, shelf in enumerate(shelves()):
        items(**shelf).write.parquet(str(tmp_path / f"items {number}"))
    views = wholes / "0"
    with sailing() as sail:
        read = sail.read.parquet
        everything = read(str(tmp_path / "purchases"))
        for number in range(3):
            start, end = (START + timedelta(days=n) for n in (number, number + 1))
            then, now = (read(str(tmp_path / f"items {n}")) for n in (number, number + 1))
            step = Step(start, end, everything, then, now)
            advance(step, views, SETTINGS, tmp_path / f"added {number + 1}")
            views = tmp_path / f"added {number + 1}"
    for number in range(1, 4):
        _same(tmp_path / f"added {number}", wholes / str(number), ordered=False)


def _same(added: Path, whole: Path, *, ordered: bool = True) -> None:
    views = {path.name for path in (whole / "serve").iterdir()}
    assert views == VIEWS
    for folder in (*(f"serve/{view}" for view in views),
                   *(f"links/{path.name}" for path in (whole / "links").iterdir())):  # fmt: skip
        here, there = (pq.read_table(root / folder) for root in (added, whole))
        assert there.num_rows > 0, folder
        here = here.select(there.column_names)  # the files' flags of what may be null are a guess
        if not ordered:
            keys = [(key, "ascending") for key in KEYS if key in there.column_names]
            here, there = here.sort_by(keys), there.sort_by(keys)
        assert here.to_pylist() == there.to_pylist(), folder


def test_where_nothing_belongs_together_the_tables_are_there_and_empty(purchases, items, tmp_path):
    bought = purchases("ann a 2024-02-01", "bob b 2024-02-02", "bob b 2024-03-01T10:00")
    shelf = items(a=(["Home"], "Brand", 1.0), b=(["Home"], "Brand", 2.0))
    write_moment(serving(bought, START), shelf, settings=SETTINGS, out=tmp_path / "0")
    step = Step(START, START + timedelta(days=1), bought, shelf, shelf)
    advance(step, tmp_path / "0", SETTINGS, tmp_path / "1")
    for moment, kind in product("01", ("transitions", "together", "co_purchases")):
        table = pq.read_table(tmp_path / moment / "serve" / kind)
        assert (table.num_rows, "links" in table.column_names) == (0, True)
