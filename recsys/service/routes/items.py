"""Items near an item."""

from typing import Annotated, Any, Literal

from recsys.arrays import PAD
from recsys.errors import extra
from recsys.service.errors import unknown_item
from recsys.service.routes.common import answered, errors
from recsys.service.schemas import Id, Length, SimilarTold
from recsys.service.snapshot import Snapshot
from recsys.service.state import READ, Service
from recsys.sparse import top_of_rows

with extra("serve"):
    from fastapi import APIRouter, Path, Query, Request, Response

router = APIRouter(prefix="/v1", tags=["items"], dependencies=[READ])

# the source whose links tell of a kind of nearness
SOURCES = {"wording": "wording", "meaning": "similar_to_last", "purchases": "co_purchases"}


@router.get("/similar/{item}", response_model=SimilarTold, responses=errors(304, 404))
async def similar(
    request: Request,
    service: Service,
    item: Annotated[Id, Path(description="the item's id", examples=["p00001"])],
    k: Annotated[Length, Query(description="how many items")] = 10,
    by: Annotated[
        Literal["meaning", "wording", "purchases"],
        Query(description="near in meaning, in words, or by who buys both"),
    ] = "meaning",
) -> Response:
    """Items near an item."""
    with service.serving.hold() as snapshot:
        at = snapshot.catalogue.index.get(item)
        if at is None:
            raise unknown_item(item)
        told = {
            "release": snapshot.release.id,
            "lineage_key": snapshot.key,
            "item": item,
            "by": by,
            "items": _near(snapshot, at, by, k),
        }
    return answered(told, request)


def _near(snapshot: Snapshot, item: int, by: str, k: int) -> list[dict[str, Any]]:
    catalogue = snapshot.catalogue
    source: Any = next(s for s in snapshot.recommender.sources if s.name == SOURCES[by])
    found, scores = top_of_rows(source.links.rows[[item]], k + 1)
    near = [
        (other, score)
        for other, score in zip(found[0].tolist(), scores[0].tolist(), strict=True)
        if other not in {PAD, item}
    ]
    return [
        {
            "rank": rank,
            "item_id": catalogue.item_ids[other],
            "title": catalogue.titles[other],
            "score": round(score, 6),
        }
        for rank, (other, score) in enumerate(near[:k], start=1)
    ]
