"""Pictures are well-formed, escaped, and true to their numbers."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from recsys.service.console.history import Bought, Item
from recsys.service.console.order import Line
from recsys.service.console.pictures import slope as slopes
from recsys.service.console.pictures import timeline as timelines
from recsys.service.console.pictures.slope import slope
from recsys.service.console.pictures.spark import bar, spark
from recsys.service.console.pictures.timeline import timeline

NOW = datetime(2024, 6, 1, tzinfo=UTC)
NASTY = "<script>alert('x')</script> & \"quotes\""
PRINTABLE = st.text(st.characters(exclude_categories=["C"]), max_size=60)
NUMBERS = st.lists(st.floats(-1e9, 1e9), max_size=30)


def texts(picture) -> list[str]:
    return [each.text for each in ElementTree.fromstring(str(picture)).iter("text")]


def bought(days: float, kind: str = "Ink", title: str = "Blue ink", before: int = 0) -> Bought:
    return Bought(Item("i", title, kind, kind, "", None), NOW - timedelta(days=days), days, before)


def test_a_slope_has_a_dot_per_rank_and_tells_those_of_the_list():
    lines = [
        Line("risen", (3, 1), kept=True),
        Line("fallen", (1, 2), kept=True),
        Line("new", (None, 3), kept=True),
        Line("left", (2, None), kept=False),
    ]
    picture = str(slope(("before", "after"), lines, 3, "ranks"))
    assert picture.count("<circle") == 6
    for kind in ("way up", "way down", "way gone"):
        assert f'class="{kind}"' in picture
    said = texts(picture)
    assert {"before", "after", "risen", "fallen", "new", "4+"} <= set(said)
    assert "left" not in said
    assert "<title>left: 2</title>" in picture


def test_a_slope_within_the_list_has_no_room_below():
    picture = str(slope(("a", "b"), [Line("one", (1, 1), kept=True)], 1, "ranks"))
    assert "2+" not in texts(picture)


def test_a_timeline_has_a_dot_per_purchase_and_a_lane_per_kind():
    purchases = [bought(300 - n, f"Kind {n % 12}", before=n // 12) for n in range(24)]
    picture = str(timeline(purchases, NOW))
    assert picture.count("<circle") == 24
    assert picture.count('class="lane"') == 7
    assert picture.count('class="again"') == 12
    assert "other kinds" in texts(picture)


def test_a_narrow_picture_fits_a_phone_and_tells_the_same():
    ways = [Line("A title that is too long for a phone", (2, 1, 3), kept=True)]
    drawn = [
        slope(("a", "b", "c"), ways, 3, "x", slopes.NARROW),
        timeline([bought(90), bought(1)], NOW, timelines.NARROW),
    ]
    for picture, dots in zip(drawn, (3, 2), strict=True):
        assert float(re.search(r'width="(\d+)"', str(picture))[1]) <= 343
        assert str(picture).count("<circle") == dots


def test_one_purchase_is_a_timeline():
    assert str(timeline([bought(0)], NOW)).count("<circle") == 1


def test_titles_are_text_never_markup():
    line = Line(NASTY, (1, 1), kept=True)
    for picture in (slope(("a", "b"), [line], 3, NASTY), timeline([bought(3, NASTY, NASTY)], NOW)):
        assert "<script" not in str(picture)
        assert "&lt;script&gt;" in str(picture)


def test_pictures_need_no_inline_style():
    pictures = (spark([1, 2], "x"), bar(0.5, "x"), timeline([bought(1)], NOW))
    assert not any(re.search(r"\bstyle=|<style", str(picture)) for picture in pictures)


def test_a_bar_stays_within_its_track():
    widths = [re.findall(r'width="([\d.]+)"', str(bar(share, "x")))[-1] for share in (-1, 0.25, 9)]
    assert widths == ["0.0", "25.0", "100.0"]


@given(NUMBERS, PRINTABLE)
def test_a_spark_line_of_any_numbers_is_well_formed(values, label):
    root = ElementTree.fromstring(str(spark(values, label)))
    assert root.get("aria-label") == label
    for line in root.iter("polyline"):
        heights = [float(point.split(",")[1]) for point in line.get("points").split()]
        assert len(heights) == len(values)
        assert all(0 <= height <= 32 for height in heights)


@given(st.lists(st.tuples(PRINTABLE, st.none() | st.integers(1, 500), st.integers(1, 500))))
def test_a_slope_of_any_titles_and_ranks_is_well_formed(rows):
    lines = [Line(title, (first, last), kept=True) for title, first, last in rows]
    root = ElementTree.fromstring(str(slope(("a", "b"), lines, 10, "ranks")))
    height = float(root.get("height"))
    assert all(0 <= float(dot.get("cy")) <= height for dot in root.iter("circle"))
