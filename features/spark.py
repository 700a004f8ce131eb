"""The Spark session: one place that says how Spark is started."""

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from features.errors import extra
from features.settings import SparkSettings

with extra("features"):
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_LOGGING = Path(__file__).with_name("log4j2.json")


def session(settings: SparkSettings, app: str = "tailor") -> SparkSession:
    """Start the Spark session, in UTC and quiet, or return the one that runs already."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app).master(settings.master)
    for key, value in _conf(settings).items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def stop() -> None:
    """End the session that runs, if any, and its Java with it: what follows has the memory."""
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
    )
    local = {"spark.driver.host": "127.0.0.1"} if settings.master.startswith("local") else {}
    return local | {
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraJavaOptions": " ".join(filter(None, java)),
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        "spark.sql.session.timeZone": "UTC",
        # instants in UTC for every reader of the files; the default, INT96, has no zone
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": (_scratch() / "warehouse").as_uri(),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


@cache
def _scratch() -> Path:
    """Make a folder that goes away with this process."""
    folder = Path(tempfile.mkdtemp(prefix="tailor-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
