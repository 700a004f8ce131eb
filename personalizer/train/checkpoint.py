"""The state of a training on disk, whole or not at all."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from personalizer.errors import WeightsError, extra

with extra("llm"):
    import torch

__all__ = ["State", "read", "write"]


@dataclass(frozen=True)
class State:
    """Everything a training needs to go on."""

    signature: str
    step: int
    factor: float  # on the learning rate, after roll-backs
    rollbacks: int
    recent: list[float]
    module: dict[str, Any]
    optimizer: dict[str, Any]


def write(path: Path, state: State) -> None:
    """Write aside, then rename: a kill leaves the state before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".writing")
    torch.save(asdict(state) | {"signature": _digest(state.signature)}, aside)
    aside.replace(path)


def read(path: Path, signature: str) -> State | None:
    """Read what `write` wrote; nothing where nothing is, or where it is of another training."""
    if not path.is_file():
        return None
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
        state = State(**tree)
    except Exception as error:  # torn bytes make the reader fail in any way
        raise WeightsError(
            f"not a state of a training: {error}", where=str(path), fix="delete it to start anew"
        ) from error
    return state if state.signature == _digest(signature) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
