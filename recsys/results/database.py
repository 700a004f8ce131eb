"""Connect to the results database, bring its tables up to date, and check that they are."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from recsys.errors import extra
from recsys.results.errors import ResultsError
from recsys.results.models import VERSIONS, Base
from recsys.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
USUAL = "alembic_version"
POOL = 5  # connections that a process keeps; a burst may take ten more for a while
# any constant will do, if no other program on the server locks the same one
UPGRADE_LOCK = 6_482_113_907


def connect(url: str) -> Engine:
    """Open a database: `sqlite_url(file)` or `postgresql+psycopg://user@host/name`."""
    target = _url(url)
    options: dict[str, Any] = {
        "json_serializer": partial(json.dumps, allow_nan=False, sort_keys=True),
    }
    if target.get_backend_name() == "sqlite":
        _make_folder(target)
        engine = create_engine(target, connect_args={"timeout": BUSY_SECONDS}, **options)
        _tune_sqlite(engine)
    else:
        with extra("features"):  # the extra that brings psycopg
            engine = create_engine(target, pool_pre_ping=True, pool_size=POOL, **options)
    return engine


def of(settings: Settings) -> Engine:
    """Open the database that the settings name; by default a file in the home."""
    url = settings.results.url.get_secret_value()
    return connect(url or sqlite_url(settings.home.resolve() / "results.db"))


def sqlite_url(file: Path) -> str:
    """Write a file's path as a URL, whatever characters it holds (a bare % would be decoded)."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision; two processes at once do it once."""
    with _migrating(engine) as config:
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to a revision; what it did not know is lost."""
    with _migrating(engine) as config:
        command.downgrade(config, revision)


def check(engine: Engine) -> list[str]:
    """List what differs between the mappings and the database; empty means nothing."""
    with speaking(engine), engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _ours}
        )
        return [str(difference) for difference in compare_metadata(context, Base.metadata)]


def _ours(name: str | None, kind: str, _of: Any) -> bool:
    """Whether something is of our tables: others may keep theirs in the same database."""
    return kind != "table" or name in Base.metadata.tables


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that takes SQLite's write lock at its start.

    One that reads first and writes later fails at once, without waiting, if another wrote between.
    """
    with speaking(engine), writing_as_told(engine) as connection:
        yield connection


@contextmanager
def writing_as_told(engine: Engine) -> Iterator[Connection]:
    """The same with the driver's own errors, for who tries again."""
    with engine.execution_options(begin="IMMEDIATE").begin() as connection:
        yield connection


@contextmanager
def speaking(engine: Engine) -> Iterator[None]:
    """Turn a driver's error into ours, without the password and without the statement's rows."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise ResultsError(
            str(cause).strip().splitlines()[0],
            where=engine.url.render_as_string(hide_password=True),
            fix="check `results.url` and that the tables are up to date",
        ) from error


def _url(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError as error:
        raise ResultsError(
            "not a database URL", where="results.url", fix="sqlite:///path/to/results.db"
        ) from error
    if target.drivername in {"postgres", "postgresql"}:
        target = target.set(drivername="postgresql+psycopg")
    if target.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ResultsError(
            f"{target.drivername!r} is not supported",
            where="results.url",
            fix="use sqlite:/// or postgresql+psycopg://",
        )
    return target


def _make_folder(url: URL) -> None:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin too late; `begin` below does
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


def _write_ahead(connection: Any) -> None:
    """Switch to WAL; the one statement that SQLite does not let wait for others by itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def _migrating(engine: Engine) -> Iterator[Config]:
    """Hand Alembic one locked transaction, so that a migration is made whole or not at all."""
    config = Config()
    # the option is interpolated: a % in the path must be doubled
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with speaking(engine), engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            # altering a table in SQLite recreates it; enforced keys would empty those that refer
            # to it, and can be switched only outside a transaction
            _pragma(connection, "foreign_keys=OFF")
        try:
            with connection.execution_options(begin="IMMEDIATE").begin():
                if not sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
                config.attributes["connection"] = connection
                _adopt(connection, config)
                yield config
        finally:
            if sqlite:
                _pragma(connection, "foreign_keys=ON")


def _adopt(connection: Connection, config: Config) -> None:
    """Take over the revision from the table that had Alembic's usual name, once.

    Airflow keeps its own under that name: with two names both fit into one database.
    """
    tables = inspect(connection).get_table_names()
    if VERSIONS in tables or USUAL not in tables:
        return
    found = set(connection.scalars(text(f"SELECT version_num FROM {USUAL}")))  # noqa: S608
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found <= known:
        connection.execute(text(f"DROP TABLE {USUAL}"))
        command.stamp(config, found.pop())


def _pragma(connection: Connection, pragma: str) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA {pragma}")
