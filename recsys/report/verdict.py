"""What the numbers amount to: ship or not, and why, in a sentence that claims no more than they do.

What matters is said beforehand (`report.minimum_effect`). A release is shipped when every check
passes: it beats popularity, is not worse than the live one by what matters, and nothing leaks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from recsys.evaluation.harness import BASELINE
from recsys.report.formats import count, interval, number, signed

MINIMUM = 0.005


class Check(NamedTuple):
    """One condition of shipping."""

    passed: bool
    text: str


class Verdict(NamedTuple):
    """`kind` is better, worse, even or alone; `text` the claim, `evidence` what it rests on."""

    kind: str
    text: str
    evidence: str
    ship: bool = False
    checks: tuple[Check, ...] = ()


class _Claim(NamedTuple):
    kind: str
    text: str
    evidence: str
    passed: bool


def direction(bounds: Sequence[float]) -> str:
    """Say better or worse only where the whole interval does."""
    if bounds[0] > 0:
        return "better"
    return "worse" if bounds[1] < 0 else "even"


def verdict(
    evaluation: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Verdict:
    """Judge what serves: against the live release where there is one, else against popularity."""
    more, run = more or {}, run or {}
    popular = _against_popular(evaluation)
    live, minimum = more.get("live"), more.get("minimum_effect", MINIMUM)
    compared = _against_live(live, minimum, evaluation["k"]) if _comparable(live) else None
    claims = [claim for claim in (compared, popular) if claim]
    checks = [Check(claim.passed, claim.text) for claim in claims]
    checks += _safety(more, run)
    if live and not compared:
        checks.append(Check(False, f"The live release can't be compared: {live['why']}"))
    ship = all(check.passed for check in checks)
    first = claims[0]
    broken = next((check.text for check in checks if not check.passed), "")
    told = first.text if ship or not first.passed else broken
    lead = "Ship: " if ship else "Do not ship: "
    nothing_live = "" if live else " Nothing was live to compare with."
    return Verdict(
        first.kind,
        lead + told[:1].lower() + told[1:],
        first.evidence + nothing_live,
        ship,
        tuple(checks),
    )


def _comparable(live: Mapping[str, Any] | None) -> bool:
    return bool(live) and not live["why"] if live else False


def _against_live(live: Mapping[str, Any] | None, minimum: float, k: int) -> _Claim:
    assert live is not None
    low, high = live["interval"]
    kind = direction((low, high))
    passed = low > -minimum
    text = {
        (True, "better"): "Better than the live release.",
        (True, "even"): "No worse than the live release by what matters.",
        (True, "worse"): "Worse than the live release, by less than what matters.",
        (False, "even"): "It may be worse than the live release by more than what matters.",
        (False, "worse"): "Worse than the live release.",
        (False, "better"): "Better than the live release.",
    }[passed, kind]
    evidence = (
        f"NDCG@{k} is {number(live['ours'])} against {number(live['live'])} of {live['release']} "
        f"({live['how']}): a difference of {signed(live['difference'])} (95 % interval "
        f"{interval((low, high), signed)}, paired over {count(live['n'])} shoppers). "
        f"Said beforehand to matter: {number(minimum)}."
    )
    return _Claim(kind, text, evidence, passed)


def _against_popular(evaluation: Mapping[str, Any]) -> _Claim:
    """Compare the headline method with popularity, on the same shoppers."""
    k, name = evaluation["k"], evaluation["headline"]
    method = evaluation["methods"][name]
    against = method.get("against_popular")
    if against is None:
        return _Claim(
            "alone", "Only popularity was measured.", "There is nothing to compare.", False
        )
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
    return _Claim(kind, f"Personalised lists {claim}", evidence, kind == "better")


def _safety(more: Mapping[str, Any], run: Mapping[str, Any]) -> list[Check]:
    """What must hold beside the figures, of what was looked at."""
    checks = []
    if leak := run.get("leak"):
        passed = bool(leak["passed"])
        text = "The leak probe finds nothing." if passed else "The leak probe finds the targets."
        checks.append(Check(passed, text))
    if ablations := more.get("ablations"):
        checks.append(_personal(ablations))
    if drift := more.get("drift"):
        broken = len(drift["breached"])
        text = f"{broken} checks of the features are beyond their limits."
        checks.append(
            Check(not broken, text if broken else "All features are within their limits.")
        )
    return checks


def _personal(ablations: Mapping[str, Any]) -> Check:
    proof = ablations.get("proof") or {}
    if not ablations["weight"]:
        return Check(True, f"The language model counts for nothing: {ablations['left_out']}.")
    if proof.get("proved"):
        return Check(True, "The language model is proved to be personal.")
    return Check(False, "The language model counts and is not proved to be personal.")
