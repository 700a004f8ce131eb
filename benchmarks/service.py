"""The service under load and faults, on a home that is there already.

    python benchmarks/service.py --from-home .tailor --seconds 60 --minutes 10 --json OUT

The same as `tailor benchmark online` without the raw files: the home is copied, so that what is
swapped, pushed and killed harms nobody. The faults need `redis-server`;
`--minutes 0` leaves them out.
"""

import argparse
import json
import sys
from pathlib import Path

from recsys.benchmark.service.measure import measure


def main() -> None:
    """Measure, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from-home", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    figures = measure(
        [],
        [],
        lambda line: sys.stderr.write(line + "\n") and None,
        home=args.from_home,
        seconds=args.seconds,
        minutes=args.minutes,
    )
    args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
