"""What is known of a shopper: features, profile; and its erasure."""

from datetime import timedelta
from typing import Annotated, Any

import structlog

from features.lookup import ShopperRow, ViewRow
from recsys.errors import HomeBusyError, extra
from recsys.results import erasures
from recsys.service.errors import ServiceError, unavailable, unknown_shopper
from recsys.service.explaining import plain
from recsys.service.routes.common import answered, errors
from recsys.service.schemas import FeaturesTold, Id, ProfileTold, ReceiptTold
from recsys.service.shopper import PROFILE, is_down
from recsys.service.state import ADMIN, READ, Service, State

with extra("serve"):
    from fastapi import APIRouter, Path, Request, Response
    from starlette.concurrency import run_in_threadpool

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["shoppers"])

User = Annotated[Id, Path(description="the shopper's id", examples=["u00001"])]
DAY = timedelta(days=1)
PATIENCE = 5.0  # seconds that an erasure waits for a run at work in the home


@router.get(
    "/features/{user}",
    response_model=FeaturesTold,
    responses=errors(),
    dependencies=[READ],
)
async def features(service: Service, user: User) -> Response:
    """All that the online store has of a shopper, with the times of it; stale counts as missing."""
    with service.serving.hold() as snapshot:
        lookup = snapshot.whole_lookup
        now = lookup.clock()
        (row,) = await run_in_threadpool(lookup.lookup, [user], now)
        told = {
            "release": snapshot.release.id,
            "lineage_key": snapshot.key,
            "user": user,
            "found": str(row.found),
            "now": now.isoformat(),
            "views": {name: _view(view) for name, view in row.views.items()},
        }
    return answered(told)


def _view(view: ViewRow) -> dict[str, Any]:
    moment = view.event_timestamp
    return {
        "outcome": str(view.outcome),
        "event_timestamp": moment.isoformat() if moment else None,
        "age_days": view.age / DAY if view.age is not None else None,
        "reason": view.reason,
        "values": plain(view.values),
    }


@router.get(
    "/profiles/{user}",
    response_model=ProfileTold,
    responses=errors(304, 404),
    dependencies=[READ],
)
async def profiles(request: Request, service: Service, user: User) -> Response:
    """The profile and the guidance that were written from a shopper's history."""
    with service.serving.hold() as snapshot:
        (row,) = await run_in_threadpool(snapshot.whole_lookup.lookup, [user])
        view = _profile(row, user)
        moment, values = view.event_timestamp, view.values
        told = {
            "release": snapshot.release.id,
            "lineage_key": snapshot.key,
            "user": user,
            "outcome": str(view.outcome),
            "event_timestamp": moment.isoformat() if moment else None,
            **{
                name: values.get(name)
                for name in ("profile", "guidance", "style", "generator", "level")
            },
        }
    return answered(told, request)


def _profile(row: ShopperRow, user: str) -> ViewRow:
    if is_down(row):
        raise unavailable("the online store does not answer")
    view = row.views.get(PROFILE)
    if view is None or view.event_timestamp is None:
        raise unknown_shopper(user)
    return view


@router.delete(
    "/users/{user}",
    response_model=ReceiptTold,
    responses=errors() | {202: {"model": ReceiptTold, "description": "Noted; not done yet"}},
    dependencies=[ADMIN],
)
async def erase(service: Service, user: User) -> Response:
    """Erase a shopper from every store, with a receipt of what was removed.

    While a run is at work in the home the request is noted (202), and carried out with the next
    maintenance; her lists are gone from the service at once in any case.
    """
    service.serving.forget(erasures.digest_of(user))
    receipt = await run_in_threadpool(_erased, service, user)
    return answered(receipt, status=200 if receipt["status"] == "erased" else 202)


def _erased(service: State, user: str) -> dict[str, Any]:
    try:
        from recsys.erasure import erase as erase_everywhere
    except ImportError as error:
        raise ServiceError(503, "unavailable", "erasing needs the extra `features`") from error
    try:
        receipt = erase_everywhere(user, service.settings, wait=PATIENCE)
    except HomeBusyError:
        return {
            "status": "waiting",
            "user_digest": erasures.digest_of(user),
            "erased_at": None,
            "removed": {},
            "left": [],
        }
    told = receipt.as_dict()
    return {
        "status": "erased",
        **{name: told[name] for name in ("user_digest", "erased_at", "removed")},
        "left": list(told["left"]),
    }
