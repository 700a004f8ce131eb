"""What adapters of one's own cost, beside PEFT's mixed batches.

A batch of 64 rows of 64 shoppers, 24 tokens each, through the tiny language model with random
weights. All ways take turns, so that a busy machine slows them alike; medians are told.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from personalizer.config import HypernetConfig, LMConfig
from personalizer.errors import extra
from personalizer.hypernet import HyperNetwork
from personalizer.lm import tiny
from personalizer.lora import Adapters, attach

with extra("llm"):
    import numpy as np
    import torch
    from peft import LoraConfig, get_peft_model

__all__ = ["measure"]

USERS, TOKENS, GENERATED = 64, 24, 256
USER_DIM = 384


class Theirs:
    """PEFT with an adapter of each shopper."""

    def __init__(self, config: LMConfig, hypernet: HypernetConfig) -> None:
        self._lora = LoraConfig(
            r=hypernet.rank,
            lora_alpha=int(hypernet.factor * hypernet.rank),
            target_modules=list(hypernet.targets),
            task_type="CAUSAL_LM",
            inference_mode=True,
        )
        self._model = get_peft_model(
            tiny.of_size(config, config.vocab_size).eval().requires_grad_(requires_grad=False),
            self._lora,
            adapter_name="nobody",
        ).eval()
        self._names: list[str] = []

    def load(self, adapters: Adapters, users: int) -> None:
        """Load adapters of shoppers, in place of those loaded before."""
        for name in self._names:
            self._model.delete_adapter(name)
        self._names = [f"user-{row}" for row in range(users)]
        modules = dict(self._model.named_modules())
        for row, name in enumerate(self._names):
            self._model.add_adapter(name, dataclasses.replace(self._lora))
            for kind, pair in adapters.items():
                for layer in range(pair.a.shape[1]):
                    module = modules[f"base_model.model.model.layers.{layer}.self_attn.{kind}"]
                    module.lora_A[name].weight.data.copy_(pair.a[row, layer])
                    module.lora_B[name].weight.data.copy_(pair.b[row, layer])

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits of a mixed batch."""
        logits: torch.Tensor = self._model(
            input_ids=ids, adapter_names=self._names, use_cache=False
        ).logits
        return logits


def measure(
    config: LMConfig | None = None,
    hypernet: HypernetConfig | None = None,
    *,
    rounds: int = 30,
    new_rounds: int = 3,
) -> dict[str, Any]:
    """Time all ways in turns; see that they give the same."""
    config, hypernet = config or LMConfig(), hypernet or HypernetConfig()
    torch.manual_seed(0)
    model = tiny.of_size(config, config.vocab_size).eval().requires_grad_(requires_grad=False)
    adapted = attach(model, hypernet.targets, hypernet.factor)
    network = HyperNetwork(hypernet, USER_DIM, adapted.shapes).eval()
    for head in network.b.parameters():
        torch.nn.init.normal_(head, std=0.02)
    theirs = Theirs(config, hypernet)
    theirs._model.base_model.model.load_state_dict(
        {_theirs(name, hypernet): value for name, value in model.state_dict().items()}, strict=False
    )
    ids = torch.randint(3, config.vocab_size, (USERS, TOKENS))

    def base() -> torch.Tensor:
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
        return logits

    def ours(adapters: Adapters) -> torch.Tensor:
        with adapted.use(adapters):
            return base()

    with torch.inference_mode():
        adapters = network(torch.randn(USERS, USER_DIM))
        theirs.load(adapters, USERS)
        torch.testing.assert_close(theirs(ids), ours(adapters), atol=1e-4, rtol=0)
        together = _in_turns(
            {
                "p2p": lambda: ours(adapters),
                "peft_adapter_names": lambda: theirs(ids),
                "base": base,
            },
            rounds,
        )

        def theirs_new() -> torch.Tensor:
            theirs.load(network(torch.randn(USERS, USER_DIM)), USERS)
            return theirs(ids)

        new = _in_turns(
            {
                "p2p": lambda: ours(network(torch.randn(USERS, USER_DIM))),
                "peft_adapter_names": theirs_new,
            },
            new_rounds,
        )
        many = torch.randn(GENERATED, USER_DIM)
        generating = _in_turns({"": lambda: network(many)}, rounds)[""]
    return {
        "batch64_ms": together,
        "batch64_new_users_ms": new,
        "adapters_per_second": round(GENERATED / generating * 1000, 1),
    }


def _theirs(name: str, hypernet: HypernetConfig) -> str:
    """Where PEFT keeps a weight of the model it wraps."""
    module, _, leaf = name.rpartition(".")
    adapted = module.rpartition(".")[2] in hypernet.targets
    return f"{module}.base_layer.{leaf}" if adapted else name


def _in_turns(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each way."""
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: round(float(np.median(taken)), 3) for name, taken in times.items()}
