"""The ladder of answers: a part that fails lowers the answer by one rung, never to an error."""

from enum import StrEnum


class Rung(StrEnum):
    """What an answer was made by, best first. New rungs are added at their place in this order."""

    ADAPTED_LM = "adapted_lm"
    RANKER = "ranker"
    RETRIEVAL = "retrieval"
    POPULAR = "popular"

    def allows(self, other: "Rung") -> bool:
        """Whether an answer capped at this rung may be made by the other."""
        order = list(Rung)
        return order.index(other) >= order.index(self)


class Why(StrEnum):
    """Why an answer stands on its rung: the reason codes."""

    BEST = "best"  # the highest rung there is
    AS_ASKED = "as_asked"  # the caller asked for no more
    NO_HISTORY = "no_history"
    NO_CANDIDATES = "no_candidates"
    NO_RERANKER = "no_reranker"
    NOT_HELPFUL = "reranker_does_not_help"  # measured: its weight in the blend is zero
    RERANKER_FAILED = "reranker_failed"
    RERANKER_UNSURE = "reranker_unsure"  # it gave no finite score to this shopper
    NO_RANKER = "no_ranker"
    RANKER_FAILED = "ranker_failed"
    RETRIEVAL_FAILED = "retrieval_failed"
