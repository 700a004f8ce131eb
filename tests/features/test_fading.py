"""The base that links fade from: it follows from the moment, and stands for eight half-lives."""

from datetime import UTC, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.fading import SPAN, Fading
from tests.features.shop import day

START = day("2024-03-01")


def test_the_base_stands_for_eight_half_lives():
    bases = [Fading.at(START + timedelta(days=n), half_life=10).base for n in range(2 * SPAN * 10)]
    moves = [n for n, (one, other) in enumerate(pairwise(bases)) if one != other]
    assert len(moves) == 2
    assert moves[1] - moves[0] == SPAN * 10


@given(
    st.datetimes(day("1980-01-01").replace(tzinfo=None), timezones=st.just(UTC)),
    st.floats(0.5, 50_000),
)
def test_what_is_new_weighs_between_one_and_what_integers_bear(moment, half_life):
    fading = Fading.at(moment, half_life)
    assert fading.base >= 0
    assert 1 <= fading.now <= 2**SPAN * 2 ** (1 / half_life)  # the base is a whole day


def test_a_half_life_later_a_new_link_weighs_twice_as_much():
    one, other = (Fading.at(START + timedelta(days=n), half_life=30) for n in (0, 30))
    assert one.base == other.base
    assert other.now == pytest.approx(2 * one.now)
