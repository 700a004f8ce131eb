"""Adapters of one's own at the sizes of real models: `python benchmarks/gpu_personalizer.py`.

The shapes of Qwen2.5-7B and -0.5B with random weights, all rows distinct shoppers. Needs only
torch, transformers, peft and numpy, and takes under 8 minutes on one GPU. Prints, as JSON, for each
model:
- `generate_ms_per_user`: adapters from embeddings at batch 256, rank 8 on q_proj and v_proj;
- `score`: 20 candidates of 15 tokens after a prompt of 60 read once per shopper, with adapters of
  one's own and without: shoppers/s, tokens/s, share of the chip's peak, and what adapters add;
- `memory_gib`: the most that was taken.
`--tiny` does the same with a toy on the CPU.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from personalizer.config import HypernetConfig
from personalizer.hypernet import HyperNetwork
from personalizer.lm.load import LanguageModel
from personalizer.lora import Adapted, Adapters, attach
from personalizer.scoring.candidates import CandidateScorer

# dense bf16 TFLOP/s by the makers' data sheets
PEAKS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "4090": 165}


@dataclasses.dataclass(frozen=True)
class Size:
    """A model's shape, and how much is asked of it."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool
    user_dim: int = 2560
    users: int = 256
    candidates: int = 20
    title: int = 15
    prompt: int = 60
    batch_tokens: int = 24_000
    width: int = 1024


SIZES = {
    "qwen2.5-0.5b": Size(896, 4864, 24, 14, 2, 151_936, tied=True, batch_tokens=48_000),
    "qwen2.5-7b": Size(3584, 18_944, 28, 28, 4, 152_064, tied=False),
}
TINY = {
    "tiny": Size(
        64, 128, 2, 2, 1, 512, tied=True, user_dim=32, users=8, candidates=3, title=5, prompt=9,
        batch_tokens=200, width=32,
    )
}  # fmt: skip


class _Marks:
    """What the scorer needs of a tokenizer when tokens are at hand."""

    bos_token_id = eos_token_id = pad_token_id = 0


def model_of(size: Size, device: str, dtype: torch.dtype) -> LanguageModel:
    """A model of random weights, made where it will run."""
    shape = Qwen2Config(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        tie_word_embeddings=size.tied,
        max_position_embeddings=4096,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen2ForCausalLM(shape)
    finally:
        torch.set_default_dtype(before)
    return LanguageModel(model.eval().requires_grad_(requires_grad=False), _Marks())


def hypernet_of(size: Size, adapted: Adapted, device: str, dtype: torch.dtype) -> HyperNetwork:
    """A hypernetwork whose adapters say something."""
    config = HypernetConfig(width=size.width)
    with torch.device(device):
        network = HyperNetwork(config, size.user_dim, adapted.shapes)
    for head in network.b.parameters():
        torch.nn.init.normal_(head, std=1e-3)
    return network.to(dtype).eval()


def timed(work: Callable[[], Any], device: str, rounds: int) -> float:
    """Median seconds of some work, after one round to warm up."""
    seconds = []
    for number in range(rounds + 1):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        if number:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def peak_of(device: str) -> float | None:
    """The chip's dense bf16 FLOP/s, where known."""
    name = torch.cuda.get_device_name() if device == "cuda" else ""
    return next((peak * 1e12 for part, peak in PEAKS.items() if part in name), None)


def measure(size: Size, device: str, *, rounds: int = 3) -> dict[str, Any]:
    """Generate and score with one model."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    lm = model_of(size, device, dtype)
    adapted = attach(lm.model, HypernetConfig().targets, HypernetConfig().factor)
    network = hypernet_of(size, adapted, device, dtype)
    users = torch.randn(size.users, size.user_dim, device=device, dtype=dtype)
    with torch.inference_mode():
        generating = timed(lambda: network(users), device, rounds)
        adapters: Adapters = network(users)
        score = _scoring(size, lm, adapted, adapters, device=device, rounds=rounds)
    used = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    return {
        "parameters": lm.model.num_parameters(),
        "hypernet_parameters": sum(p.numel() for p in network.parameters()),
        "generate_ms_per_user": round(1000 * generating / size.users, 4),
        "score": score,
        "memory_gib": None if used is None else round(used, 2),
    }


def _scoring(
    size: Size,
    lm: LanguageModel,
    adapted: Adapted,
    adapters: Adapters,
    *,
    device: str,
    rounds: int,
) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    prompts = rng.integers(3, size.vocabulary, (size.users, size.prompt)).tolist()
    candidates = rng.integers(
        3, size.vocabulary, (size.users, size.candidates, size.title)
    ).tolist()
    scorer = CandidateScorer(lm, adapted, batch_tokens=size.batch_tokens)
    own = scorer.score(prompts, candidates, adapters)
    bare = scorer.score(prompts, candidates)
    seconds = {
        "with_adapters": timed(lambda: scorer.score(prompts, candidates, adapters), device, rounds),
        "without": timed(lambda: scorer.score(prompts, candidates), device, rounds),
    }
    # the last token of a title is never read, only predicted
    tokens = size.prompt + size.candidates * (size.title - 1)
    body = lm.model.num_parameters() - size.vocabulary * size.hidden * (1 if size.tied else 2)
    predicted = 1 + size.candidates * (size.title - 1)
    flops = 2 * (body * tokens + size.vocabulary * size.hidden * predicted)
    peak = peak_of(device)
    return {
        name: {
            "users_per_second": round(size.users / taken, 1),
            "tokens_per_second": round(size.users * tokens / taken),
            "share_of_peak": round(flops * size.users / taken / peak, 3) if peak else None,
        }
        for name, taken in seconds.items()
    } | {
        "adapters_add": round(seconds["with_adapters"] / seconds["without"] - 1, 4),
        "scores_moved": bool(np.abs(own - bare).max() > 0),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a toy on the CPU")
    parser.add_argument("--only", choices=sorted(SIZES), help="one model only")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    device = "cpu" if args.tiny else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("no GPU here; --tiny runs on the CPU")
    sizes = TINY if args.tiny else SIZES
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
    }
    for name, size in sizes.items():
        if args.only in {None, name}:
            figures[name] = measure(size, device, rounds=args.rounds)
            if device == "cuda":
                torch.cuda.empty_cache()
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
