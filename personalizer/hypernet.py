"""The hypernetwork: a shopper's embedding in, her adapter for every target module out."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from personalizer.config import HypernetConfig
from personalizer.errors import WeightsError, extra
from personalizer.lora import Adapted, Pair, Shapes, attach

with extra("llm"):
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file
    from torch import Tensor, nn

__all__ = ["HyperNetwork"]

WEIGHTS, CARD = "hypernet.safetensors", "hypernet.json"


class _Block(nn.Module):
    """A residual layer of the trunk."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add what the layer has to say."""
        out: Tensor = x + self.layers(x)
        return out


class HyperNetwork(nn.Module):
    """All adapters of all shoppers in one pass; exactly no change before training."""

    def __init__(self, config: HypernetConfig, user_dim: int, shapes: Shapes) -> None:
        super().__init__()
        self.config, self.user_dim, self.shapes = config, user_dim, shapes
        quarter = config.width // 4
        width = 4 * quarter
        self.user = nn.Sequential(nn.LayerNorm(user_dim), nn.Linear(user_dim, 2 * quarter))
        self.module = nn.Embedding(len(shapes.sizes), quarter)
        self.depth = nn.Embedding(shapes.layers, quarter)
        self.trunk = nn.Sequential(_Block(width), _Block(width), nn.LayerNorm(width), nn.SiLU())
        rank = config.rank
        self.a = nn.ModuleDict(
            {k: nn.Linear(width, rank * i) for k, (i, _) in shapes.sizes.items()}
        )
        self.b = nn.ModuleDict(
            {k: nn.Linear(width, rank * o) for k, (_, o) in shapes.sizes.items()}
        )
        self._start_at_nothing()

    def _start_at_nothing(self) -> None:
        """Start as an ordinary LoRA does, for every shopper: A Kaiming, B zero."""
        for parameter in [*self.a.parameters(), *self.b.parameters()]:
            nn.init.zeros_(parameter)
        for kind, (inputs, _) in self.shapes.sizes.items():
            bias = self.a[kind].get_parameter("bias")
            nn.init.kaiming_uniform_(bias.view(self.config.rank, inputs), a=math.sqrt(5))

    def forward(self, users: Tensor) -> dict[str, Pair]:
        """Adapters of users (U, D): A (U, L, r, in) and B (U, L, out, r) for each kind."""
        kinds, layers, rank = len(self.shapes.sizes), self.shapes.layers, self.config.rank
        count = len(users)
        user = self.user(users)[:, None, None].expand(-1, kinds, layers, -1)  # (U, M, L, W/2)
        module = self.module.weight[None, :, None].expand(count, -1, layers, -1)  # (U, M, L, W/4)
        depth = self.depth.weight[None, None].expand(count, kinds, -1, -1)  # (U, M, L, W/4)
        hidden = self.trunk(torch.cat([user, module, depth], dim=-1))  # (U, M, L, W)
        return {
            kind: Pair(
                a=self.a[kind](hidden[:, m]).view(count, layers, rank, inputs),
                b=self.b[kind](hidden[:, m]).view(count, layers, outputs, rank),
            )
            for m, (kind, (inputs, outputs)) in enumerate(self.shapes.sizes.items())
        }

    def attach(self, model: nn.Module) -> Adapted:
        """Make a language model ready for these adapters."""
        adapted = attach(model, self.config.targets, self.config.factor)
        if adapted.shapes != self.shapes:
            raise WeightsError(
                f"made for {self.shapes}, not {adapted.shapes}",
                where="hypernetwork",
                fix="train it for this language model",
            )
        return adapted

    def save(self, folder: Path) -> None:
        """Write weights and their card into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        card = {
            "config": dataclasses.asdict(self.config),
            "user_dim": self.user_dim,
            "shapes": dataclasses.asdict(self.shapes),
        }
        (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()},
            folder / WEIGHTS,
        )

    @classmethod
    def load(cls, folder: Path, *, shapes: Shapes, user_dim: int) -> "HyperNetwork":
        """Read what `save` wrote, for a language model of these shapes and these embeddings."""
        card = _card(folder)
        had = Shapes(
            card["shapes"]["layers"], {k: tuple(v) for k, v in card["shapes"]["sizes"].items()}
        )
        if had != shapes or card["user_dim"] != user_dim:
            raise WeightsError(
                f"made for {had} and vectors of {card['user_dim']}, not {shapes} and {user_dim}",
                where=str(folder),
                fix="train the hypernetwork for this language model and this encoder",
            )
        config = HypernetConfig(**card["config"] | {"targets": tuple(card["config"]["targets"])})
        network = cls(config, user_dim, shapes)
        try:
            network.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, RuntimeError, SafetensorError) as error:
            raise WeightsError(f"can't read {WEIGHTS}: {error}", where=str(folder)) from error
        return network.eval()


def _card(folder: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"can't read {CARD}: {error}", where=str(folder), fix="train the hypernetwork"
        ) from error
    if not {"config", "user_dim", "shapes"} <= card.keys():
        raise WeightsError(f"{CARD} is not a hypernetwork's", where=str(folder))
    return card
