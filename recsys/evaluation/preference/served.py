"""How far the scores that serve may be believed when one of a few options has to be chosen."""

from recsys.evaluation.preference.figures import fitted
from recsys.evaluation.preference.harness import Harness
from recsys.ladder import Rung
from recsys.rerank import blend


def temperatures(harness: Harness, weight: float) -> dict[str, float]:
    """The temperature of each rung's scores, fitted on validation questions.

    `weight` is that of the adapted model in the blend; the service divides by these.
    """
    view, right = harness.joining.view, harness.joining.questions.right
    if view.ranker is None:
        return {}
    scores = {Rung.RANKER: view.ranked}
    if weight > 0 and view.personal is not None:
        scores[Rung.ADAPTED_LM] = blend(view.ranked, view.adapted, weight)
    return {str(rung): fitted(each, right).temperature for rung, each in scores.items()}
