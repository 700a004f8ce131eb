"""What the numbers amount to, in one sentence that claims no more than they do."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from recsys.evaluation.harness import BASELINE
from recsys.report.formats import count, interval, number, signed


class Verdict(NamedTuple):
    """`kind` is better, worse, even or alone; `text` the claim, `evidence` what it rests on."""

    kind: str
    text: str
    evidence: str


def direction(bounds: Sequence[float]) -> str:
    """Say better or worse only where the whole interval does."""
    if bounds[0] > 0:
        return "better"
    return "worse" if bounds[1] < 0 else "even"


def verdict(evaluation: Mapping[str, Any]) -> Verdict:
    """Compare the headline method with popularity, on the same shoppers."""
    k, name = evaluation["k"], evaluation["headline"]
    method = evaluation["methods"][name]
    against = method.get("against_popular")
    if against is None:
        return Verdict("alone", "Only popularity was measured.", "There is nothing to compare.")
    popular = evaluation["methods"][BASELINE]
    kind = direction(against["ci"])
    claim = {
        "better": "predict the next purchase better than popularity.",
        "worse": "predict the next purchase worse than popularity.",
        "even": "cannot be told apart from popularity.",
    }[kind]
    evidence = (
        f"NDCG@{k} of {name} is {number(method[f'ndcg@{k}'])} against "
        f"{number(popular[f'ndcg@{k}'])}: a difference of {signed(against[f'ndcg@{k}_diff'])} "
        f"(95 % interval {interval(against['ci'], signed)}, paired over "
        f"{count(evaluation['n_users'])} shoppers)."
    )
    return Verdict(kind, f"Personalised lists {claim}", evidence)
