"""How Feast runs here: where its files are, what it may print, what it must put back."""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import FeaturesError, StoreError, extra
from features.online.connect import feast_config
from features.repo.loading import load
from features.settings import StoreSettings

if TYPE_CHECKING:
    from feast import RepoConfig

ROWS_PER_WRITE = 1_000


def config(home: Path, settings: StoreSettings, *, shipped: bool = False) -> "RepoConfig":
    """Configure Feast: Parquet by Spark offline, the online store and registry of the settings.

    With Feast's own SQLite store instead of ours, if `shipped`.
    """
    with extra("features"):  # Feast takes seconds to import
        feast = load()
        from feast.infra.offline_stores.contrib.spark_offline_store import spark  # noqa: F401

    # Feast asks for this once at least, and repeats it when it reads its registry in its threads
    warnings.filterwarnings(
        "ignore", "The spark (data source API|offline store) is an experimental"
    )
    if settings.online == "postgres":
        # Feast hands it naive UTC times, which a session in another zone would shift
        os.environ.setdefault("PGTZ", "UTC")
    configured: RepoConfig = feast.RepoConfig(
        project=settings.project,
        provider="local",
        registry={
            "registry_type": "sql",
            "path": registry_url(home, settings),
            "serve_features_while_materializing": True,
        },
        online_store=feast_config(home, settings, shipped=shipped),
        offline_store={"type": "spark"},
        batch_engine={"type": "local"},
        materialization={"online_write_batch_size": ROWS_PER_WRITE, "pull_latest_features": True},
    )
    return configured


def registry_url(home: Path, settings: StoreSettings) -> str:
    """Where the registry is: in the home, or where the settings say."""
    return settings.registry.get_secret_value() or f"sqlite:///{home / 'registry.db'}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Feast's prints and its notes on alpha features off the terminal."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def own_spark_settings() -> Iterator[None]:
    """Undo what Feast sets on the session: with it, backquoted column names become patterns."""
    with extra("features"):
        from pyspark.sql import SparkSession

    key, spark = "spark.sql.parser.quotedRegexColumnNames", SparkSession.getActiveSession()
    before = spark.conf.get(key, "false") if spark else None
    try:
        yield
    finally:
        if spark and before is not None:
            spark.conf.set(key, before)


@contextmanager
def told(where: str, doing: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Turn whatever Feast or its stores raise into our error, without what must not be shown."""
    try:
        yield
    except FeaturesError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        for secret in secrets:
            said = said.replace(secret, "***")
        # the cause could be printed with the error, and with it what is secret
        cause = None if said != f"{type(error).__name__}: {error}" else error
        raise StoreError(
            f"{doing} failed: {said}",
            where=where,
            fix="check that the store answers and that the features were materialised",
        ) from cause
