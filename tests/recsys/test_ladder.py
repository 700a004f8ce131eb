from recsys.ladder import Rung, Why


def test_a_rung_allows_itself_and_what_is_below():
    assert list(Rung) == [Rung.ADAPTED_LM, Rung.RANKER, Rung.RETRIEVAL, Rung.PERSONA, Rung.POPULAR]
    assert Rung.RANKER.allows(Rung.POPULAR)
    assert Rung.RANKER.allows(Rung.RANKER)
    assert not Rung.RANKER.allows(Rung.ADAPTED_LM)


def test_codes_are_plain_strings():
    assert f"{Rung.ADAPTED_LM} {Why.NO_HISTORY}" == "adapted_lm no_history"
