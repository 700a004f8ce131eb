"""Serve until told to stop."""

import os
import tempfile

from recsys import log, settings
from recsys.errors import extra
from recsys.service.app import create_app
from recsys.service.config import ServiceSettings
from recsys.service.telemetry import FOLDER
from recsys.settings import Settings

with extra("serve"):
    import uvicorn
    from fastapi import FastAPI

GRACE = 30  # seconds for requests that are being answered
KEEP_ALIVE = 75  # longer than the time-out of common proxies, so that they close first


def worker() -> FastAPI:
    """Make the application of one process, from the settings of the environment."""
    chosen = settings.load()
    log.configure(chosen.log)
    return create_app(chosen)


def serve(chosen: Settings) -> None:
    """Run the service; SIGTERM and Ctrl-C let it answer what it has taken."""
    service = chosen.service
    os.environ["TAILOR_HOME"] = str(chosen.home.resolve())
    with tempfile.TemporaryDirectory(prefix="tailor-metrics-") as counts:
        if service.workers > 1:
            os.environ[FOLDER] = counts
        _run(service)


def _run(service: ServiceSettings) -> None:
    uvicorn.run(
        "recsys.service.run:worker",
        factory=True,
        host=service.host,
        port=service.port,
        workers=service.workers,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=KEEP_ALIVE,
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=32_768,
    )
