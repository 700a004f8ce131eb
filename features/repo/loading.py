"""Load Feast without what takes most of its loading: torch, and rewriting its own sources.

Feast imports torch for whoever wants answers as tensors, and lets typeguard parse and compile its
classes anew so that they check their arguments. Neither is of use here; together they are three
quarters of the seconds that it takes.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from features.errors import extra

_TENSORS = "feast.torch_wrapper"


def load() -> ModuleType:
    """Import Feast; what is loaded already stays as it is."""
    if "feast" in sys.modules:
        return sys.modules["feast"]
    with extra("features"):
        import typeguard

        checking = typeguard.typechecked
        sys.modules.setdefault(_TENSORS, _when_asked())
        typeguard.typechecked = _unchecked
        try:
            return importlib.import_module("feast")
        finally:
            typeguard.typechecked = checking


def _when_asked() -> ModuleType:
    """Stand in for the module by which Feast has torch: it is imported when it is asked for."""
    lazy: Any = ModuleType(_TENSORS)
    lazy.get_torch = lambda: importlib.import_module("torch")
    return lazy  # type: ignore[no-any-return]


def _unchecked(target: Any = None, **_options: Any) -> Any:
    return target if target is not None else _unchecked
