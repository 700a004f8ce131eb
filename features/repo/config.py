"""How Feast runs here: where its files are, what it may print, what it must put back."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from features.errors import StoreError, extra
from features.settings import StoreSettings

with extra("features"):
    from feast import RepoConfig
    from pyspark.sql import SparkSession

ROWS_PER_WRITE = 1_000

# Feast repeats this whenever it reads its registry, in whatever thread that happens
warnings.filterwarnings("ignore", "The spark (data source API|offline store) is an experimental")


def config(home: Path, settings: StoreSettings) -> RepoConfig:
    """Configure Feast: Parquet by Spark offline, SQLite online and as registry, both in `home`."""
    return RepoConfig(
        project=settings.project,
        provider="local",
        registry={
            "registry_type": "sql",
            "path": f"sqlite:///{home / 'registry.db'}",
            "serve_features_while_materializing": True,
        },
        online_store={"type": settings.online, "path": str(home / "online.db")},
        offline_store={"type": "spark"},
        batch_engine={"type": "local"},
        materialization={"online_write_batch_size": ROWS_PER_WRITE, "pull_latest_features": True},
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Feast's prints and its notes on alpha features off the terminal."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def own_spark_settings() -> Iterator[None]:
    """Undo what Feast sets on the session: with it, backquoted column names become patterns."""
    key, spark = "spark.sql.parser.quotedRegexColumnNames", SparkSession.getActiveSession()
    before = spark.conf.get(key, "false") if spark else None
    try:
        yield
    finally:
        if spark and before is not None:
            spark.conf.set(key, before)


@contextmanager
def told(home: Path, doing: str) -> Iterator[None]:
    """Turn whatever Feast or its stores raise into our error."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"{doing} failed: {type(error).__name__}: {error}",
            where=str(home),
            fix="check that the folder is readable and that the features were materialised",
        ) from error
