"""What adapters of one's own cost: `python benchmarks/adapters.py`.

A batch of 64 rows of 64 shoppers, 24 tokens each, through the tiny language model with random
weights. Prints, as JSON:
- `batch64_ms`: one pass with adapters in memory, ours (`p2p`), PEFT's mixed batches
  (`peft_adapter_names`) and the model without adapters (`base`);
- `batch64_new_users_ms`: from embeddings never seen to logits; PEFT loads the 64 adapters first;
- `adapters_per_second`: generated at batch 256.
"""

import argparse
import json
import sys

import torch

from personalizer.timing import measure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own)")
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    sys.stdout.write(json.dumps(measure(rounds=args.rounds), indent=1) + "\n")


if __name__ == "__main__":
    main()
