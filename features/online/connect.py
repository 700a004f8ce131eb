"""From the settings to a store: one URL says where a server is, for us and for Feast."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from features.errors import StoreError
from features.online.base import OnlineStore
from features.online.deadline import Asking, Here, Timed
from features.online.sqlite import SqliteStore, file_of
from features.settings import StoreSettings

_SCHEMES = {"redis": ("redis", "rediss"), "postgres": ("postgresql", "postgres")}
_EXAMPLES = {
    "redis": "redis://:PASSWORD@HOST:6379/0",
    "postgres": "postgresql://USER:PASSWORD@HOST:5432/DATABASE?schema=public&sslmode=require",
}
_SETTING = "features.store.connection"


def connect(home: Path, settings: StoreSettings, timeout: float | None = None) -> OnlineStore:
    """The online store of the settings, not yet connected; `timeout` in seconds, for reading."""
    if settings.online == "sqlite":
        return SqliteStore(settings.project, file_of(home), timeout)
    where = _server(settings)
    if settings.online == "redis":
        from features.online.redis import RedisStore

        patience = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return RedisStore(settings.project, _redis_options(where) | patience)
    from features.online.postgres import PostgresStore

    options = _postgres_options(where)
    schema = options.pop("schema")
    options["options"] = f"-c search_path={schema},public -c timezone=UTC"
    if timeout:
        options["connect_timeout"] = max(2, round(timeout))  # libpq knows no shorter one
    return PostgresStore(settings.project, options)


def in_time(home: Path, settings: StoreSettings, where: str) -> Asking:
    """How to ask the online store within the deadline of the settings."""
    seconds = settings.deadline_ms / 1_000
    if settings.online == "sqlite":  # to change threads twice takes longer than it does
        return Here(lambda: connect(home, settings, seconds))
    return Timed(lambda: connect(home, settings, 2 * seconds), where, seconds)


def feast_config(home: Path, settings: StoreSettings, *, shipped: bool = False) -> dict[str, Any]:
    """The same store, as Feast's configuration wants it; or Feast's own SQLite, if `shipped`."""
    if settings.online == "sqlite":
        ours = {"type": "features.online.for_feast.SqliteRowsOnlineStore", "path": file_of(home)}
        theirs = {"type": "sqlite", "path": home / "shipped.db"}
        return {name: str(value) for name, value in (theirs if shipped else ours).items()}
    where = _server(settings)
    if settings.online == "redis":
        return {"type": "redis", "connection_string": _feast_redis(_redis_options(where))}
    options = _postgres_options(where)
    return {
        "type": "postgres",
        "host": options["host"],
        "port": options["port"],
        "database": options["dbname"],
        "user": options["user"],
        "password": options["password"] or "",
        "db_schema": options["schema"],
        "sslmode": options["sslmode"],
    }


def place(settings: StoreSettings, home: Path) -> str:
    """Where the online store is, in words that may be shown: no password."""
    if settings.online == "sqlite":
        return str(file_of(home))
    where = _server(settings)
    return f"{settings.online} at {where.hostname}:{where.port or _port(where)}{where.path}"


def secrets(settings: StoreSettings) -> list[str]:
    """What must never be shown: the URLs with a password, and the passwords."""
    found = []
    for setting in (settings.connection, settings.registry):
        url = setting.get_secret_value()
        try:
            password = urlsplit(url).password
        except ValueError:
            password = None
        if password:
            found += [url, password, unquote(password)]
    return found


def _server(settings: StoreSettings) -> SplitResult:
    url, kind = settings.connection.get_secret_value(), settings.online
    fix = f"set {_SETTING} to {_EXAMPLES[kind]}"
    if not url:
        raise StoreError(f"the online store is {kind}, but not said where", where=_SETTING, fix=fix)
    try:
        where = urlsplit(url)
        fit = where.scheme in _SCHEMES[kind] and where.hostname and (where.port or True)
    except ValueError:
        fit = False
    if not fit:  # the URL may hold a password: it is not repeated
        raise StoreError(f"this is no URL of a {kind} server", where=_SETTING, fix=fix)
    return where


def _port(where: SplitResult) -> int:
    return where.port or (6379 if where.scheme.startswith("redis") else 5432)


def _redis_options(where: SplitResult) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": where.hostname,
        "port": _port(where),
        "db": _database(where),
        "ssl": where.scheme == "rediss",
    }
    if where.username:
        options["username"] = unquote(where.username)
    if where.password:
        options["password"] = unquote(where.password)
    return options


def _database(where: SplitResult) -> int:
    number = where.path.strip("/") or "0"
    if not number.isdecimal():
        raise StoreError(
            f"Redis databases have numbers, this is {number!r}",
            where=_SETTING,
            fix=f"set it to {_EXAMPLES['redis']}",
        )
    return int(number)


def _feast_redis(options: Mapping[str, Any]) -> str:
    """Feast splits at commas, and reads values as JSON where it can."""
    if any("," in str(options.get(part, "")) for part in ("username", "password")):
        raise StoreError(
            "Feast can't read a user name or password with a comma",
            where=_SETTING,
            fix="choose another password",
        )
    parts = [f"{options['host']}:{options['port']}", f"db={options['db']}"]
    if options["ssl"]:
        parts.append("ssl=true")
    parts += [f"{part}={options[part]}" for part in ("username", "password") if part in options]
    return ",".join(parts)


def _postgres_options(where: SplitResult) -> dict[str, Any]:
    asked = {name: given[-1] for name, given in parse_qs(where.query).items()}
    schema = asked.get("schema", "public")
    if not schema.isidentifier():
        raise StoreError(f"no name of a schema: {schema!r}", where=_SETTING, fix="use letters")
    return {
        "host": where.hostname,
        "port": _port(where),
        "dbname": unquote(where.path.strip("/")) or "postgres",
        "user": unquote(where.username or "postgres"),
        "password": unquote(where.password) if where.password else None,
        "sslmode": asked.get("sslmode", "prefer"),
        "schema": schema,
    }
