"""Logging, the one way: structlog, to stderr, one event per line."""

import logging
import os
import sys

import structlog

from recsys.settings import LogSettings


class _CurrentStderr(logging.Handler):
    """Writes to what stderr is now: a progress display takes it over while it draws."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def configure(settings: LogSettings) -> None:
    """Route structlog and the standard library's loggers to stderr in one format."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars: progress is drawn by rich alone
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # what is not wanted is dropped before it is laid out: a service says a word per request
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=True,
    )
    handler = _CurrentStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("WARNING")  # libraries speak up only when something is wrong
    for ours in ("features", "personalizer", "recsys"):
        logging.getLogger(ours).setLevel(settings.level)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of this project."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
