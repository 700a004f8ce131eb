"""Spark's jobs without Java, for a day's work: Sail in this process, spoken to by Spark Connect.

Java and a cold Spark take tens of seconds before a day of some hundred purchases is added. Sail
runs the same DataFrames in Rust. pyspark speaks with one kind of session at a time: while Sail
runs, its functions make plans for Sail.
"""

import importlib.util
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.errors import FeaturesError, extra
from features.formats import detect, simple
from features.preflight import inspect
from features.settings import SAIL, SparkSettings

with extra("features"):
    import pyarrow.parquet as pq
    import pyspark
    from pyspark.sql import DataFrame, SparkSession

_REMOTE = "SPARK_CONNECT_MODE_ENABLED"  # pyspark's own word for it
_BEFORE = (4, 3)
"""Sail 0.7 refuses to speak with a pyspark of this version and later."""

_running: list[tuple[Any, SparkSession]] = []


def for_a_day(
    settings: SparkSettings, reviews: Iterable[Path] = (), tables: Iterable[Path] = ()
) -> SparkSettings:
    """Say which session adds a day to `tables`: Sail's, where it can, else that of the settings."""
    fits = (
        settings.day == SAIL
        and settings.master.startswith("local")  # a cluster was chosen for its size
        and (running() or SparkSession.getActiveSession() is None)  # Java there needs no start
        and able()
        and _mib(tables) <= settings.day_most_mib
        and all(map(_simple, reviews))
    )
    return settings.model_copy(update={"master": SAIL}) if fits else settings


def _mib(folders: Iterable[Path]) -> float:
    files = (path for folder in folders for path in folder.rglob("*.parquet"))
    return sum(path.stat().st_size for path in files) / (1 << 20)


def _simple(reviews: Path) -> bool:
    """Whether every line of a file can be read without Spark."""
    try:
        file = inspect(reviews)
        layout, _ = detect(file.head, str(reviews))
    except FeaturesError:
        return True  # whoever reads it says so, with or without Java
    header = file.head[0] if layout.header else ""
    return file.size <= simple.MOST and all(
        line == header or simple.blank(line) or layout.simple(line, header) is not None
        for line in simple.lines_of(file)
    )


def able() -> bool:
    """Whether Sail is installed, and speaks with the pyspark that is."""
    version = tuple(int(part) for part in pyspark.__version__.split(".")[:2])
    return version < _BEFORE and importlib.util.find_spec("pysail") is not None


def running() -> bool:
    """Whether it was started here."""
    return bool(_running)


def runs(session: SparkSession) -> bool:
    """Whether a session is Sail's."""
    return any(session is mine for _, mine in _running)


def start(settings: SparkSettings) -> SparkSession:
    """Start Sail on a free port of this machine, or return the session that runs already."""
    if _running:
        return _running[0][1]
    os.environ.setdefault("RUST_LOG", "error")  # read once, when it is loaded
    with extra("features"):
        from pysail.spark import SparkConnectServer
        from pyspark.sql.connect.session import SparkSession as Remote

    server: Any = SparkConnectServer()
    server.start()
    _, port = server.listening_address
    os.environ[_REMOTE] = "1"
    session: Any = Remote.builder.remote(f"sc://127.0.0.1:{port}").create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.shuffle.partitions", str(settings.shuffle_partitions))
    _running.append((server, session))
    return _running[0][1]


def stop() -> None:
    """End it, if it runs; pyspark speaks with Java again."""
    if not _running:
        return
    server, session = _running.pop()
    session.stop()
    server.stop()
    os.environ.pop(_REMOTE, None)


@contextmanager
def aside(frame: DataFrame) -> Iterator[DataFrame]:
    """Keep a frame in files while several jobs read it: Sail keeps none in memory."""
    with TemporaryDirectory(prefix="tailor-sail-") as folder:
        kept = Path(folder, "rows")
        frame.write.parquet(str(kept))
        fill(frame, kept)
        yield frame.sparkSession.read.parquet(str(kept))


def fill(frame: DataFrame, folder: Path) -> None:
    """Write a table without rows where there were none: Sail writes nothing then, Spark a table."""
    if runs(frame.sparkSession) and not any(folder.glob("*.parquet")):
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(frame.toArrow(), folder / "part-0.parquet")


__all__ = ["able", "aside", "fill", "for_a_day", "running", "runs", "start", "stop"]
