"""Adapters on a frozen model: every row of a batch has its own A and B.

    y = W x + s · B (A x)

as two batched products over the stacked A and B of all shoppers; nothing is repeated per token.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from personalizer.errors import PersonalizerError, WeightsError, extra

with extra("llm"):
    import torch
    from torch import Tensor, nn

__all__ = ["Adapted", "Adapters", "Pair", "Shapes", "attach"]


class Pair(NamedTuple):
    """The adapters of one kind of module: U shoppers, L layers."""

    a: Tensor  # (U, L, r, in)
    b: Tensor  # (U, L, out, r)


Adapters = Mapping[str, Pair]


@dataclass(frozen=True)
class Shapes:
    """What is adapted: the layers, and (in, out) of each kind of module."""

    layers: int
    sizes: dict[str, tuple[int, int]]


class Adapted:
    """A model whose target modules can be given adapters for a while."""

    def __init__(self, modules: dict[str, list[nn.Linear]], scale: float) -> None:
        self._modules, self.scale = modules, scale
        self._busy = False
        self.shapes = Shapes(
            layers=len(next(iter(modules.values()))),
            sizes={
                kind: (layers[0].in_features, layers[0].out_features)
                for kind, layers in modules.items()
            },
        )

    @contextmanager
    def use(self, adapters: Adapters, rows: Tensor | None = None) -> Iterator[None]:
        """Run the model with adapters inside the block.

        `rows` (B,) names the shopper of each row of the batch. Without it a batch of U·K rows
        is taken as K rows of each shopper in turn, and A and B are not copied at all.
        """
        if self._busy:
            raise PersonalizerError("adapters are in use already", where="Adapted.use")
        self._busy = True
        handles = [
            module.register_forward_hook(self._hook(adapters[kind], layer, rows))
            for kind, modules in self._modules.items()
            for layer, module in enumerate(modules)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._busy = False

    def _hook(self, pair: Pair, layer: int, rows: Tensor | None) -> Any:
        a, b = pair.a[:, layer], pair.b[:, layer]  # (U, r, in), (U, out, r)

        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return output + self.scale * _delta(inputs[0], a, b, rows)

        return hook


def _delta(x: Tensor, a: Tensor, b: Tensor, rows: Tensor | None) -> Tensor:
    """B (A x) of x (B, T, in), each row by its own shopper's pair: (B, T, out)."""
    if rows is not None:
        a, b = a[rows], b[rows]  # (B, r, in), (B, out, r)
    if len(x) % len(a):
        raise PersonalizerError(
            f"{len(x)} rows don't divide among {len(a)} adapters",
            where="Adapted.use",
            fix="give `rows`",
        )
    flat = x.reshape(len(a), -1, x.shape[-1])  # (U, K·T, in)
    low = torch.bmm(flat, a.to(x.dtype).mT)  # (U, K·T, r)
    return torch.bmm(low, b.to(x.dtype).mT).view(*x.shape[:-1], -1)  # (B, T, out)


def attach(model: nn.Module, targets: Sequence[str], scale: float = 1.0) -> Adapted:
    """Find the target linears of every layer by the last part of their names."""
    modules = {kind: _layers(model, kind) for kind in targets}
    if not modules or len({len(layers) for layers in modules.values()}) > 1:
        raise WeightsError(
            f"not every layer has all of {', '.join(targets) or 'no targets'}",
            where=type(model).__name__,
            fix="correct personalizer.hypernet.targets",
        )
    return Adapted(modules, scale)


def _layers(model: nn.Module, kind: str) -> list[nn.Linear]:
    """All linears of a kind, first layer first."""
    found = {
        int(number[-1]): module
        for name, module in model.named_modules()
        if name.rpartition(".")[2] == kind
        and isinstance(module, nn.Linear)
        and (number := re.findall(r"\.(\d+)\.", name))
    }
    layers = [found[number] for number in sorted(found)]
    if len({(m.in_features, m.out_features) for m in layers}) != 1:
        raise WeightsError(
            f"no linear modules {kind!r} of one shape",
            where=type(model).__name__,
            fix="correct personalizer.hypernet.targets",
        )
    return layers
