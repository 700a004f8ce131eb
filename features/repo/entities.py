"""What features are about: a shopper, an item."""

from typing import TYPE_CHECKING

from features.errors import extra

if TYPE_CHECKING:
    from feast import Entity

OWNER = "recommendations"


def user() -> "Entity":
    """Build the shopper entity."""
    return _entity("user", "a shopper, by the opaque id of the source")


def item() -> "Entity":
    """Build the item entity."""
    return _entity("item", "a product, by the opaque id of the source")


def _entity(name: str, description: str) -> "Entity":
    with extra("features"):  # Feast takes seconds to import
        from feast import Entity
        from feast.value_type import ValueType

    return Entity(
        name=name,
        join_keys=[f"{name}_id"],
        value_type=ValueType.STRING,
        description=description,
        owner=OWNER,
        tags={"product": "tailor"},
    )
