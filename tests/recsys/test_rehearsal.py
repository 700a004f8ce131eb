import pytest

from recsys.rehearsal import rehearse
from tests import tiny

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_the_rehearsal_goes_from_raw_files_to_a_day_more(spark, tmp_path, monkeypatch):
    advanced = []
    monkeypatch.setattr("recsys.rehearsal.advance", lambda *args: advanced.append(args))
    rehearse(spark, tiny.settings(tmp_path))
    assert [step.end for step, *_ in advanced]
