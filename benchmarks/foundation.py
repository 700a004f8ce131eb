"""Time the base: `python benchmarks/foundation.py [--million]` prints JSON.

`titles_per_second` encodes titles of the built-in shop with MiniLM as the product does it, and
untuned: fp32, batches of 32 in file order, padded to 64 tokens. `sample_*` writes a shop of a
million purchases. Run it on an idle machine.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

from personalizer.config import EncoderConfig
from personalizer.encoder import TextEncoder
from personalizer.weights import locate
from recsys.sample import write

TITLES = 1_000


def titles(folder: Path) -> list[str]:
    """Titles of a built-in shop, all different."""
    write(folder, users=50, items=TITLES + 200, seed=7)
    with gzip.open(folder / "items.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.rstrip().endswith("}")]
    return list(dict.fromkeys(row["title"] for row in rows if row.get("title")))[:TITLES]


def untuned(texts: list[str]) -> float:
    """Seconds of the plain way."""
    folder = locate(EncoderConfig())
    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModel.from_pretrained(folder).eval(),
    )
    began = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(
                texts[start : start + 32], padding="max_length", max_length=64, truncation=True,
                return_tensors="pt",
            )  # fmt: skip
            model(**batch)
    return time.perf_counter() - began


def tuned(texts: list[str]) -> float:
    """Seconds of the product's way."""
    encoder = TextEncoder(EncoderConfig())
    began = time.perf_counter()
    encoder.encode(texts)
    return time.perf_counter() - began


def million(folder: Path) -> dict[str, float]:
    """A million purchases of the built-in shop."""
    began = time.perf_counter()
    report = write(folder, users=84_000, items=12_000, seed=1)
    seconds = round(time.perf_counter() - began, 1)
    return {"sample_purchases": report.purchases, "sample_seconds": seconds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="also write a million purchases")
    args = parser.parse_args()
    figures: dict[str, float] = {"threads": torch.get_num_threads()}
    with tempfile.TemporaryDirectory() as scratch:
        texts = titles(Path(scratch, "titles"))
        figures["titles"] = len(texts)
        figures["titles_per_second_untuned"] = round(len(texts) / untuned(texts), 1)
        figures["titles_per_second"] = round(len(texts) / tuned(texts), 1)
        if args.million:
            figures |= million(Path(scratch, "million"))
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
