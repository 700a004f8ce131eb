"""Lists: for one shopper, for several, and of the caller's own candidates."""

import time
from functools import partial
from typing import Annotated, Any

from recsys.errors import extra
from recsys.ladder import Why
from recsys.service.answers import Answer, Asked, document
from recsys.service.explaining import explanation
from recsys.service.filters import Filters
from recsys.service.ordering import reordered
from recsys.service.routes.common import answered, errors
from recsys.service.routes.direct import DirectRoute
from recsys.service.schemas import (
    BatchAsked,
    BatchTold,
    Category,
    Id,
    Items,
    Length,
    ListTold,
    RerankAsked,
)
from recsys.service.snapshot import Snapshot
from recsys.service.state import READ, Service, State
from recsys.service.stopwatch import Stopwatch

with extra("serve"):
    from fastapi import APIRouter, Path, Query, Request, Response

router = APIRouter(prefix="/v1", tags=["lists"], dependencies=[READ], route_class=DirectRoute)


@router.get(
    "/recommendations/{user}", response_model=ListTold, responses=errors(304), summary="A list"
)
async def recommendations(  # noqa: PLR0917 - a query's parameters
    request: Request,
    service: Service,
    user: Annotated[Id, Path(description="the shopper's id", examples=["u00001"])],
    k: Annotated[Length, Query(description="how many items")] = 10,
    context_item: Annotated[
        Id | None, Query(description="the item she looks at; counts as if just bought")
    ] = None,
    exclude: Annotated[Items, Query(description="items to leave out")] = [],  # noqa: B006
    category: Annotated[
        Category | None, Query(description="a category on the items' paths", examples=["Kitchen"])
    ] = None,
    in_stock: Annotated[bool, Query(description="only what is in stock")] = False,
    explain: Annotated[bool, Query(description="tell features, ranks and reasons")] = False,
) -> Response:
    """The best items for a shopper now; the answer says what made them, and why nothing better."""
    asked = Asked(user, k, context_item, Filters(exclude, category, in_stock), explain)
    with service.serving.hold() as snapshot:
        answer = await _answer(service, snapshot, asked)
        told = document(snapshot, answer)
        if explain:
            told["explanation"] = explanation(answer)
    return answered(told, request, timing=answer.watch.header)


@router.post("/recommendations", response_model=BatchTold, responses=errors(), summary="Lists")
async def batch(service: Service, body: BatchAsked) -> Response:
    """Lists for several shoppers, all by one release."""
    filters = Filters(body.exclude, body.category, body.in_stock)
    asked = [Asked(user, body.k, filters=filters) for user in body.users]
    with service.serving.hold() as snapshot:
        answers = await service.kitchen.make(
            partial(_many, service, snapshot, asked),
            lambda why: [_instead(service, snapshot, one, why) for one in asked],
        )
        told = {
            "release": snapshot.release.id,
            "lineage_key": snapshot.key,
            "results": [document(snapshot, service.told(answer)) for answer in answers],
        }
    return answered(told)


@router.post("/rerank", response_model=ListTold, responses=errors(), summary="An order")
async def rerank(service: Service, body: RerankAsked) -> Response:
    """The caller's own candidates, best first for a shopper."""
    with service.serving.hold() as snapshot:
        asked = Asked(body.user, len(body.items), explain=body.explain)
        answer = await service.kitchen.make(
            lambda: reordered(service.lists, snapshot, asked, body.items),
            lambda why: reordered(service.lists, snapshot, asked, body.items, why),
        )
        service.told(answer)
        told = document(snapshot, answer)
        if body.explain:
            told["explanation"] = explanation(answer)
    return answered(told, timing=answer.watch.header)


async def _answer(service: State, snapshot: Snapshot, asked: Asked) -> Answer:
    answer = await service.kitchen.make(
        lambda: service.lists.answer(snapshot, asked),
        lambda why: _instead(service, snapshot, asked, why),
        short=snapshot.short,
    )
    return service.told(answer)


def _instead(service: State, snapshot: Snapshot, asked: Asked, why: Why) -> Answer:
    return service.lists.without_lookup(snapshot, asked, why, Stopwatch())


def _many(service: State, snapshot: Snapshot, asked: list[Asked]) -> list[Answer]:
    """One after another, as long as there is time; who comes later gets what is at hand."""
    end = time.monotonic() + service.settings.service.deadlines.total_ms / 1_000 * 0.9
    answers: list[Any] = []
    for one in asked:
        if time.monotonic() < end:
            answers.append(service.lists.answer(snapshot, one))
        else:
            answers.append(_instead(service, snapshot, one, Why.TOO_LATE))
    return answers
