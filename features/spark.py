"""The Spark session: one place that says how Spark is started."""

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from features import sail
from features.errors import FeaturesError, extra
from features.settings import SAIL, SparkSettings

with extra("features"):
    import pyspark
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
JARS = Path(pyspark.__file__).parent / "jars"
_NO_WORD = "-Xlog:cds=off -Xlog:cds+dynamic=off"  # of classes that can't be kept
_AS_IN_A_URL = "/:@&=+$,!'()*"
_LOGGING = Path(__file__).with_name("log4j2.json")


def session(settings: SparkSettings, app: str = "tailor") -> SparkSession:
    """Start the Spark session, in UTC and quiet, or return the one that runs already."""
    if settings.master == SAIL:
        return sail.start(settings)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app).master(settings.master)
    for key, value in _conf(settings).items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def a_day(
    settings: SparkSettings,
    work: Callable[[SparkSession], T],
    *,
    reviews: Sequence[Path] = (),
    tables: Sequence[Path] = (),
) -> T:
    """Do a day's work over some raw files and `tables`: by Sail where it can, else by Spark.

    Where Sail breaks, Spark does the work again from the start, and that is said.
    """
    chosen = sail.for_a_day(settings, reviews, tables)
    if chosen.master == SAIL:
        try:
            return work(session(chosen))
        except FeaturesError:
            raise  # of the data or the disk: Spark would say the same
        except Exception as error:
            sail.stop()
            told = str(error).strip().partition("\n")[0][:200]
            _LOG.warning("Sail could not add the day, so Spark does: %s", told)
    return work(session(settings))


def alive() -> bool:
    """Whether a session runs in this process."""
    return sail.running() or SparkSession.getActiveSession() is not None


def stop() -> None:
    """End the session that runs, if any, and its Java with it: what follows has the memory."""
    if sail.running():
        sail.stop()
        return
    if (spark := SparkSession.getActiveSession()) is None:
        return
    gateway = SparkContext._gateway
    spark.stop()
    if gateway is None:
        return
    gateway.shutdown()
    if (java := getattr(gateway, "proc", None)) is not None:  # ours, not a shell's that holds us
        java.stdin.close()  # Java ends when nobody speaks to it any more
        java.wait()
    SparkContext._gateway = SparkContext._jvm = None  # the next session starts its own


def _conf(settings: SparkSettings) -> dict[str, str]:
    """Spark's configuration; whatever Spark writes for itself goes to a scratch folder."""
    # URIs, because the options are split at spaces
    java = (
        settings.java_options,
        f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
        f"-Dderby.stream.error.file={os.devnull}",
        *_archived(),
    )
    local = {"spark.driver.host": "127.0.0.1"} if settings.master.startswith("local") else {}
    return local | {
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraJavaOptions": " ".join(filter(None, java)),
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        "spark.sql.session.timeZone": "UTC",
        # instants in UTC for every reader of the files; the default, INT96, has no zone
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # what is kept is read once or twice: to look for the best code of it costs more
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        # parts of a table are written side by side, not sorted for one after the other
        "spark.sql.maxConcurrentOutputFileWriters": "2",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": (_scratch() / "warehouse").as_uri(),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # most of what is said to Java would be the line of Python behind each column
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def archive() -> Path:
    """Where the classes that Java loads for Spark are kept: beside the packages they come from."""
    return Path(sys.prefix) / "share" / "tailor" / f"spark-{pyspark.__version__}.jsa"


def keepable(jars: Path) -> bool:
    """Whether Java can keep the classes of jars there: it looks for them as a URL writes them."""
    return quote(jars.as_posix(), safe=_AS_IN_A_URL) == jars.as_posix()


def record(settings: SparkSettings, rehearsal: Callable[[SparkSession], None]) -> Path:
    """Keep the classes that Java loads for a rehearsal; later starts need seconds less.

    Java calls it an archive for class data sharing. It fits one Java and one set of jars; with
    others, Java passes it over.
    """
    if not keepable(JARS):
        raise FeaturesError(
            "Java keeps no classes of jars under a path with a space, or letters that a URL "
            "writes otherwise",
            where=str(JARS),
            fix="nothing needs it but speed; install elsewhere",
        )
    kept = archive()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
    except OSError as error:
        raise FeaturesError(f"can't be written: {error}", where=str(kept)) from error
    fresh = kept.with_suffix(".part")
    options = f'{settings.java_options} "-XX:ArchiveClassesAtExit={fresh}" {_NO_WORD}'
    rehearsal(session(settings.model_copy(update={"java_options": options})))
    stop()  # Java writes it at its end
    if not fresh.is_file():
        raise FeaturesError(
            "Java wrote no archive of its classes", where=str(kept),
            fix="nothing needs it but speed; look at features.spark.java_options",
        )  # fmt: skip
    return fresh.rename(kept)


def _archived() -> Iterator[str]:
    if (kept := archive()).is_file():
        yield f'"-XX:SharedArchiveFile={kept}" {_NO_WORD}'


@cache
def _scratch() -> Path:
    """Make a folder that goes away with this process."""
    folder = Path(tempfile.mkdtemp(prefix="tailor-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
