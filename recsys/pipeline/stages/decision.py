"""The decision: which rung serves whom, from what validation shoppers bought."""

from dataclasses import replace

import numpy as np

from recsys.arrays import Floats, Ints
from recsys.artifacts.store import Draft
from recsys.candidates.personas import Personas
from recsys.decision import HIGHEST, Gains, decide, undecided
from recsys.errors import StageError
from recsys.evaluation.metrics import ndcg
from recsys.ladder import Rung
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.parts import PERSONAS, catalogue_of, shoppers_at
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.lists import recommender_at
from recsys.pipeline.stages.models import weighing
from recsys.profiles.personas import clusters
from recsys.recommend import Recommender
from recsys.shoppers import Shoppers

_K = 10
_FIRST = "validate"  # tastes are grouped as they were then; what the groups buy, as of each moment
DECIDED_ON = (
    "validation shoppers who neither taught nor decided on the ranker; the same weighed the "
    "language model, and no figure of the report is of them"
)


def decision(context: Context, draft: Draft) -> None:
    """Group tastes, let every rung answer the deciding shoppers, and decide."""
    inputs, settings = context.inputs, context.settings
    catalogue = catalogue_of(inputs)
    names = RunMoments.read(context.path("features")).names
    centres = None
    for name in names[names.index(_FIRST) :]:
        everyone = shoppers_at(inputs, name, catalogue)
        if centres is None:
            centres = _centres(everyone, context)
        groups = Personas.of(centres, everyone, len(catalogue))
        groups.save(draft.path / PERSONAS / name)
    shoppers, targets = weighing(inputs, catalogue, settings)
    recommender = recommender_at(context, _FIRST, catalogue)
    if not len(shoppers):
        made = undecided(HIGHEST, "no validation shopper was left to decide on")
    else:
        personas = Personas.load(draft.path / PERSONAS / _FIRST)
        gains = _gains(recommender, personas, shoppers, targets)
        made = decide(
            gains,
            shoppers.lengths,
            least=settings.decision.least_shoppers,
            seed=settings.seed,
            decided_on=DECIDED_ON,
        )
    made.write(draft.path)
    told = {name: str(part.choice.rung) for name, part in made.slices.items()}
    draft.describe(
        metrics={"default": str(made.default.rung), "slices": told, "shoppers": len(shoppers)}
    )


def _centres(shoppers: Shoppers, context: Context) -> Floats:
    vectors = shoppers.vectors[np.any(shoppers.vectors, axis=1)]
    most = context.settings.personalizer.profiles.most_personas
    return clusters(vectors, most=most, seed=context.settings.seed)[1]


def _gains(
    recommender: Recommender, personas: Personas, shoppers: Shoppers, targets: Ints
) -> Gains:
    """NDCG of each shopper by the rungs that there are; a model without weight is no rung."""
    arms = [Rung.RANKER, Rung.PERSONA]
    if recommender.blend_weight > 0:
        arms.append(Rung.ADAPTED_LM)
    asked = replace(recommender, personas=personas, decision=None)
    gains = {}
    for rung in arms:
        lists = asked.recommend(shoppers, _K, highest=rung)
        if lists.failures:  # another rung's lists must not decide under this name
            raise StageError(lists.failures[0], where=f"decision, lists by {rung}")
        gains[rung] = ndcg(lists.items, targets, _K)
    return gains
