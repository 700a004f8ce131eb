"""A purchase made now: kept before it is acknowledged, in the next answer at once."""

from datetime import UTC, datetime, timedelta

from recsys.errors import extra
from recsys.results.errors import ResultsError
from recsys.results.events import Event
from recsys.service.errors import unavailable, wrong
from recsys.service.intake import PENDING
from recsys.service.routes.common import answered, errors
from recsys.service.schemas import EventAsked, EventTold
from recsys.service.state import WRITE, Service

with extra("serve"):
    from fastapi import APIRouter, Response
    from starlette.concurrency import run_in_threadpool

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[WRITE])

AHEAD = timedelta(minutes=5)
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # before there were shops on the web


@router.post(
    "/events",
    response_model=EventTold,
    status_code=201,
    responses=errors(409)
    | {
        200: {"model": EventTold, "description": "Known already"},
        202: {"model": EventTold, "description": "Kept; it will be pushed"},
    },
)
async def purchase(service: Service, body: EventAsked) -> Response:
    """Take a purchase in. The same event again changes nothing, and is told so (200)."""
    moment = body.event_timestamp.astimezone(UTC)
    if not EARLIEST <= moment <= datetime.now(UTC) + AHEAD:
        raise wrong("a purchase before 1995 or of the future", fix="check the clock of the shop")
    event = Event(body.event_id, body.user, body.item, moment)
    try:
        outcome, state = await run_in_threadpool(service.intake.take, event)
    except ResultsError as error:
        raise unavailable("the purchase could not be kept", "send it again") from error
    service.telemetry.event(outcome)
    status = 202 if outcome == PENDING else 201 if state == "new" else 200
    return answered({"event_id": event.event_id, "outcome": outcome}, status=status)
