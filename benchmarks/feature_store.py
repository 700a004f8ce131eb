"""Time the features: `python benchmarks/feature_store.py [--users N]` prints JSON.

Writes a shop of about a million purchases (or of N shoppers) and measures it as
`tailor benchmark features` does. Run it on an idle machine.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from recsys.benchmark.features import measure
from recsys.sample import write


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=84_000, help="shoppers of the shop")
    parser.add_argument("--items", type=int, default=12_000, help="its items")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        report = write(folder, users=args.users, items=args.items, seed=1)
        files = [folder / "reviews.jsonl.gz"], [folder / "items.jsonl.gz"]
        figures = measure(*files, lambda line: print(line, file=sys.stderr))  # noqa: T201
    sys.stdout.write(json.dumps({"purchases": report.purchases} | figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
