"""Which of a few options a shopper will choose."""

from typing import Any

import numpy as np

from personalizer.calibration import softmax
from recsys.errors import extra
from recsys.ladder import Rung
from recsys.service.answers import Asked
from recsys.service.errors import unknown_item
from recsys.service.ordering import reordered
from recsys.service.routes.common import answered, errors
from recsys.service.schemas import PreferenceAsked, PreferenceTold
from recsys.service.state import READ, Service

with extra("serve"):
    from fastapi import APIRouter, Response

router = APIRouter(prefix="/v1", tags=["lists"], dependencies=[READ])


@router.post("/preference", response_model=PreferenceTold, responses=errors(404))
async def preference(service: Service, body: PreferenceAsked) -> Response:
    """How likely she is to choose each of some items of the catalogue, among themselves.

    The shares are those of the scores that order her lists, calibrated on what the release's own
    validation shoppers chose (`calibrated`). Nothing is chosen for whom nothing is known, nor where
    the best option is less likely than `least_confidence`.
    """
    options = list(dict.fromkeys(body.options))
    asked = Asked(body.user, len(options))
    with service.serving.hold() as snapshot:
        answer = await service.kitchen.make(
            lambda: reordered(service.lists, snapshot, asked, options),
            lambda why: reordered(service.lists, snapshot, asked, options, why),
        )
        if answer.unknown:
            raise unknown_item(answer.unknown[0])
        service.told(answer)
        catalogue = snapshot.catalogue
        scores = np.array([[place.score for place in answer.places]])
        temperature = snapshot.temperatures.get(answer.rung)
        shares = softmax(scores, temperature or 1.0)[0].tolist()
        known = answer.rung is not Rung.POPULAR
        best = int(np.argmax(shares))
        sure = shares[best] if known else 1 / len(options)
        abstained = not known or sure < body.least_confidence or len(set(shares)) == 1
        told: dict[str, Any] = {
            "release": snapshot.release.id,
            "lineage_key": snapshot.key,
            "user": body.user,
            "rung": str(answer.rung),
            "why": str(answer.why),
            "options": [
                {
                    "item_id": catalogue.item_ids[place.item],
                    "title": catalogue.titles[place.item],
                    "probability": share if known else 1 / len(options),
                }
                for place, share in zip(answer.places, shares, strict=True)
            ],
            "choice": None if abstained else catalogue.item_ids[answer.places[best].item],
            "confidence": sure,
            "abstained": abstained,
            "calibrated": temperature is not None,
        }
    return answered(told, timing=answer.watch.header)
