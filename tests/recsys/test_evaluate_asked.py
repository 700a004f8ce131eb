"""What `tailor evaluate ranking` is asked for: baselines and cuts."""

import pytest

from recsys.errors import SettingsError
from recsys.evaluation import ranking
from recsys.evaluation.baselines import BASELINES
from recsys.settings import CutSettings


def test_popularity_is_always_measured():
    names = [kind.name for kind in ranking.baselines_of(["item_knn"])]
    assert names == ["popularity", "item_knn"]
    assert len(ranking.baselines_of(["all"])) == len(BASELINES)
    assert not any(kind.slow for kind in ranking.baselines_of([]))


def test_cuts_are_as_asked_and_keep_the_shares():
    cuts = CutSettings(holdout_share=0.2)
    made = ranking.cuts_of(cuts, "leave-one-out", "train-only")
    assert (made.protocol, made.mode, made.holdout_share) == ("leave-one-out", "train-only", 0.2)
    with pytest.raises(SettingsError, match=r"train-only.*leave-one-out"):
        ranking.cuts_of(cuts, "temporal", "train-only")
