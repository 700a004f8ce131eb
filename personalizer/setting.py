"""How a setting is declared where there is no pydantic."""

from dataclasses import field
from typing import Any

__all__ = ["setting"]


def setting(default: Any, description: str) -> Any:
    """Declare a field with its description, readable by pydantic and by the docs."""
    if isinstance(default, list | dict):
        raise TypeError("use a tuple: settings are immutable")
    return field(default=default, metadata={"description": description})
