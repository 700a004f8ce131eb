"""Adapters on a frozen model: every row of a batch has its own A and B.

    y = W x + s · B (A x)

as two batched products over the stacked A and B of all shoppers; nothing is repeated per token.
Modules of one layer that read the same input (q, k and v) share the product with their A's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from personalizer.errors import PersonalizerError, WeightsError, extra

with extra("llm"):
    import torch
    from torch import Tensor, nn

__all__ = ["Adapted", "Adapters", "Pair", "Shapes", "attach", "numbers_of", "rows_of", "stack"]


# by the names most models give them; a module that is not here goes alone
ONE_INPUT = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


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


def rows_of(adapters: Adapters, rows: Tensor | slice | list[int]) -> dict[str, Pair]:
    """Take some shoppers' adapters."""
    return {kind: Pair(pair.a[rows], pair.b[rows]) for kind, pair in adapters.items()}


def stack(adapters: Sequence[Adapters]) -> dict[str, Pair]:
    """Put shoppers' adapters one under another."""
    return {
        kind: Pair(
            torch.cat([each[kind].a for each in adapters]),
            torch.cat([each[kind].b for each in adapters]),
        )
        for kind in adapters[0]
    }


def numbers_of(adapters: Adapters) -> int:
    """Count the weights of one shopper's adapter."""
    return sum(part[0].numel() for pair in adapters.values() for part in pair)


class Adapted:
    """A model whose target modules can be given adapters for a while."""

    def __init__(self, named: dict[str, dict[str, nn.Linear]], scale: float) -> None:
        modules = {kind: list(layers.values()) for kind, layers in named.items()}
        # where each module is in the model, first layer first
        self.names = {kind: list(layers) for kind, layers in named.items()}
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
        is taken as K rows of each shopper in turn, and A and B are not copied at all. Under
        gradient checkpointing the backward pass belongs into the block too: it runs the model
        again.
        """
        if self._busy:
            raise PersonalizerError("adapters are in use already", where="Adapted.use")
        self._busy = True
        handles = [
            module.register_forward_hook(hook)
            for layer in range(self.shapes.layers)
            for module, hook in self._hooks(adapters, layer, rows)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._busy = False

    def _hooks(
        self, adapters: Adapters, layer: int, rows: Tensor | None
    ) -> Iterator[tuple[nn.Module, "_Hook"]]:
        """Hooks of a layer's modules, with one group of A's for those that read one input."""
        for kinds in _read_alike(list(self.shapes.sizes)):
            group = _Group([_of(adapters[kind].a, layer, rows) for kind in kinds])
            for place, kind in enumerate(kinds):
                b = _of(adapters[kind].b, layer, rows)  # (U, out, r)
                yield self._modules[kind][layer], _Hook(group, place, b, self.scale)


def _read_alike(kinds: list[str]) -> list[list[str]]:
    """Kinds of modules by the input they read, each in the order in which they are called."""
    together = [[kind for kind in known if kind in kinds] for known in ONE_INPUT]
    alone = [[kind] for kind in kinds if not any(kind in known for known in ONE_INPUT)]
    return [group for group in [*together, *alone] if group]


def _of(part: Tensor, layer: int, rows: Tensor | None) -> Tensor:
    """One layer's part of every shopper, or of every row of the batch."""
    return part[:, layer] if rows is None else part[rows, layer]


class _Group:
    """The A's of modules that may read the same input: then one product serves all of them."""

    def __init__(self, parts: list[Tensor]) -> None:
        self._parts = parts  # (U, r, in) each
        self._joined: Tensor | None = None
        self._seen: Tensor | None = None
        self._low: list[Tensor] = []

    def low(self, x: Tensor, place: int) -> Tensor:
        """A x of one module, x (B, T, in): (U, K·T, r)."""
        if x is not self._seen or not self._low:
            # what q saw, v sees next: the very same tensor
            self._seen, self._low = x, self._products(x)
        low = self._low[place]
        if place == len(self._parts) - 1:
            self._seen, self._low = None, []  # keep no activation alive
        return low

    def _products(self, x: Tensor) -> list[Tensor]:
        users = len(self._parts[0])
        if len(x) % users:
            raise PersonalizerError(
                f"{len(x)} rows don't divide among {users} adapters",
                where="Adapted.use",
                fix="give `rows`",
            )
        flat = x.reshape(users, -1, x.shape[-1])  # (U, K·T, in)
        low = torch.bmm(flat, self._a(x.dtype).mT)  # (U, K·T, sum of r)
        return list(low.split([part.shape[1] for part in self._parts], dim=-1))

    def _a(self, dtype: torch.dtype) -> Tensor:
        """All A's as one (U, sum of r, in); made once for all steps of a generation."""
        if self._joined is not None and self._joined.dtype == dtype:
            return self._joined
        a = torch.cat(self._parts, dim=1) if len(self._parts) > 1 else self._parts[0]
        a = a.to(dtype)
        if not torch.is_grad_enabled():  # a graph must not outlive its backward pass
            self._joined = a
        return a


class _Hook:
    """Adds one module's share to its output."""

    def __init__(self, group: _Group, place: int, b: Tensor, scale: float) -> None:
        self._group, self._place, self._b, self._scale = group, place, b, scale

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        low = self._group.low(inputs[0], self._place)
        flat = output.view(len(low), -1, output.shape[-1])  # (U, K·T, out)
        b = self._b.to(low.dtype).mT  # (U, r, out)
        if torch.is_grad_enabled():
            return torch.baddbmm(flat, low, b, alpha=self._scale).view(output.shape)
        # nobody needs the output without the adapter: add in place
        flat.baddbmm_(low, b, alpha=self._scale)
        return output


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


def _layers(model: nn.Module, kind: str) -> dict[str, nn.Linear]:
    """All linears of a kind by name, first layer first."""
    found = {
        int(number[-1]): (name, module)
        for name, module in model.named_modules()
        if name.rpartition(".")[2] == kind
        and isinstance(module, nn.Linear)
        and (number := re.findall(r"\.(\d+)\.", name))
    }
    layers = dict(found[number] for number in sorted(found))
    if len({(m.in_features, m.out_features) for m in layers.values()}) != 1:
        raise WeightsError(
            f"no linear modules {kind!r} of one shape",
            where=type(model).__name__,
            fix="correct personalizer.hypernet.targets",
        )
    return layers
