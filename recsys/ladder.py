"""The ladder of answers: a part that fails lowers the answer by one rung, never to an error."""

from enum import StrEnum


class Rung(StrEnum):
    """What an answer was made by, best first. New rungs are added at their place in this order."""

    ADAPTED_LM = "adapted_lm"
    RANKER = "ranker"
    RETRIEVAL = "retrieval"
    PERSONA = "persona"
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
    # do no harm: measured on the validation shoppers of her slice, and decided with the release
    NOT_HELPFUL_HERE = "reranker_does_not_help_slice"
    GROUP_IS_BETTER = "persona_better_for_slice"
    RERANKER_FAILED = "reranker_failed"
    RERANKER_SLOW = "reranker_slow"
    RERANKER_RESTS = "reranker_rests"  # it failed often lately, and is not asked for a while
    RERANKER_UNSURE = "reranker_unsure"  # it gave no finite score to this shopper
    NO_RANKER = "no_ranker"
    RANKER_FAILED = "ranker_failed"
    RETRIEVAL_FAILED = "retrieval_failed"
    NO_PERSONA = "no_persona"  # no groups in this release, or nothing known of her taste
    LOOKUP_FAILED = "lookup_failed"  # nobody knows what she bought: what was published, or popular
    TOO_LATE = "deadline_passed"
    TOO_MANY = "too_many_requests"  # no worker was free to make a list of her own
