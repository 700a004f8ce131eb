"""The canonical tables: the one place that names their columns.

Everything upstream ends in these two tables, everything downstream starts from them. Times are UTC.
Ids are opaque strings: they are never a feature, never ordered by, never a tie-breaker.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: its Spark SQL type, whether it may be null, and its meaning."""

    name: str
    type: str
    nullable: bool
    doc: str


PURCHASES: tuple[Column, ...] = (
    Column("user_id", "string", False, "the shopper, an opaque id"),
    Column("item_id", "string", False, "the product, an opaque id"),
    Column("event_timestamp", "timestamp", False, "when it was bought"),
    Column("rating", "double", True, "1 to 5 where the source has it"),
    Column("price", "double", True, "the item's price as listed, where known"),
    Column("sequence", "long", False, "file order within the shopper; breaks ties of display only"),
    Column("known_at", "timestamp", False, "when the row became known; at once if nobody says"),
    Column("item_known", "boolean", False, "false: the item is in no item file"),
)

ITEMS: tuple[Column, ...] = (
    Column("item_id", "string", False, "the product, an opaque id"),
    Column("title", "string", False, "plain text, empty when the source has none"),
    Column("categories", "array<string>", False, "path from broad to narrow, may be empty"),
    Column("brand", "string", True, "brand or store"),
    Column("price", "double", True, "list price"),
    Column("has_title", "boolean", False, "false: the source has no title"),
)

QUARANTINE: tuple[Column, ...] = (
    Column("table", "string", False, "purchases or items"),
    Column("file", "string", False, "the source file"),
    Column("line", "long", False, "its line, from 1"),
    Column("reason", "string", False, "why the row was refused"),
    Column("raw", "string", False, "the row as it came, cut at 2,000 characters"),
)


def ddl(columns: tuple[Column, ...]) -> str:
    """Spark DDL of a table."""
    return ", ".join(f"`{c.name}` {c.type}" + ("" if c.nullable else " NOT NULL") for c in columns)
