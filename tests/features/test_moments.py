import pytest

from features.errors import QualityError
from features.moments import Moments, choose
from tests.features.shop import day

pytestmark = pytest.mark.spark


def test_the_cuts_fall_where_the_shares_say(purchases):
    tenth_a_day = purchases(*(f"u{n} item 2024-01-{n:02}T13:00" for n in range(1, 11)))
    got = choose(tenth_a_day, holdout_share=0.2, label_share=0.25)
    # 9 and 10 January are held out; of the 8 days before, two are labels
    assert got == Moments(day("2024-01-07"), day("2024-01-09"), day("2024-01-11"))


def test_three_days_are_just_enough(purchases):
    three = purchases(*(f"ann i 2024-01-{n:02}" for n in (1, 5, 9)))
    got = choose(three, holdout_share=0.01, label_share=0.01)
    assert got == Moments(day("2024-01-05"), day("2024-01-09"), day("2024-01-10"))


def test_too_short_a_span_says_what_to_do(purchases):
    with pytest.raises(QualityError, match="longer time span"):
        choose(
            purchases("ann a 2024-01-01", "ann b 2024-01-02"), holdout_share=0.1, label_share=0.1
        )
