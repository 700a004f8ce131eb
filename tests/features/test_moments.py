import pytest

from features.errors import QualityError
from features.moments import Moments, choose
from tests.features.shop import day

pytestmark = pytest.mark.spark


def test_the_cuts_fall_where_the_shares_say(purchases):
    tenth_a_day = purchases(*(f"u{n} item 2024-01-{n:02}T13:00" for n in range(1, 11)))
    got = choose(tenth_a_day, holdout_share=0.2, validate_share=0.125, label_share=0.25)
    # 9 and 10 January are held out; of the 8 days before, one is to decide on, twice two are labels
    days = ("2024-01-04", "2024-01-06", "2024-01-08", "2024-01-09", "2024-01-11")
    assert got == Moments(*map(day, days))


def test_five_days_are_just_enough(purchases):
    five = purchases(*(f"ann i 2024-01-{n:02}" for n in (1, 2, 3, 5, 9)))
    for share in (0.01, 0.9):
        got = choose(five, holdout_share=share, validate_share=share, label_share=share)
        days = ("2024-01-02", "2024-01-03", "2024-01-05", "2024-01-09", "2024-01-10")
        assert got == Moments(*map(day, days))


def test_too_short_a_span_says_what_to_do(purchases):
    four = purchases(*(f"ann {n} 2024-01-0{n}" for n in range(1, 5)))
    with pytest.raises(QualityError, match=r"4 distinct days.*longer time span"):
        choose(four, holdout_share=0.1, validate_share=0.1, label_share=0.1)
