"""Serve until told to stop."""

from personalizer.config import ServerConfig
from personalizer.errors import extra
from personalizer.server.app import create_app
from personalizer.server.engine import Engine

with extra("serve"):
    import uvicorn

__all__ = ["serve"]

GRACE = 30  # seconds for requests that are being answered


def serve(engine: Engine, config: ServerConfig) -> None:
    """Run the server; SIGTERM and Ctrl-C let it answer what it has taken."""
    uvicorn.run(
        create_app(engine, config),
        host=config.host,
        port=config.port,
        timeout_graceful_shutdown=GRACE,
        log_config=None,
        access_log=False,
    )
