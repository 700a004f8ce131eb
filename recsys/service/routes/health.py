"""Whether it runs, whether it serves, and what Prometheus wants to know."""

from recsys.errors import extra
from recsys.service.routes.common import errors
from recsys.service.state import READ, Service

with extra("serve"):
    from fastapi import APIRouter, Response

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: errors()[503]})
async def readyz(service: Service) -> dict[str, str]:
    """Tell which release serves; 503 as long as none does."""
    with service.serving.hold() as snapshot:
        return {
            "status": "ready",
            "release": snapshot.release.id,
            "lineage_key": snapshot.key,
        }


@router.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses=errors() | {200: {"content": {"text/plain": {}}}},
)
async def metrics(service: Service) -> Response:
    """Requests, stages, rungs and freshness, in Prometheus' text format."""
    return Response(service.telemetry.text(), media_type="text/plain; version=0.0.4")
