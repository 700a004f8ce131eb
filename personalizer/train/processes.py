"""One process, or several with a GPU each, started by `accelerate launch`."""

import os
from typing import Any

from personalizer.errors import extra

with extra("llm"):
    import torch
    from torch import Tensor, nn

__all__ = ["Processes"]


class Processes:
    """The process among those that train together."""

    def __init__(self) -> None:
        self._accelerator: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            with extra("llm"):
                from accelerate import Accelerator
            self._accelerator = Accelerator()

    @property
    def number(self) -> int:
        """Which of them this is."""
        return 0 if self._accelerator is None else int(self._accelerator.process_index)

    @property
    def first(self) -> bool:
        """Whether this one writes and reports."""
        return self.number == 0

    def prepare(
        self, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Wrap what is trained, so that gradients are averaged over all processes."""
        if self._accelerator is None:
            return module, optimizer
        wrapped, prepared = self._accelerator.prepare(module, optimizer)
        return wrapped, prepared

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        if self._accelerator is None:
            loss.backward()
        else:
            self._accelerator.backward(loss)

    def mean(self, loss: Tensor) -> float:
        """The loss over all processes: all must agree on whether it diverged."""
        if self._accelerator is None:
            return float(loss.detach())
        return float(self._accelerator.reduce(loss.detach(), reduction="mean"))
