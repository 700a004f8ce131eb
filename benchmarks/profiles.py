"""How many profiles the template writes per second, and what they look like.

    python benchmarks/profiles.py                 # histories made up on the spot
    python benchmarks/profiles.py --home .tailor  # the shoppers of a home, after `tailor run`

Digestion and profile each; with --workers 2 the shoppers are split between two processes.
"""

import argparse
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from personalizer.profiles.generators import Request, TemplateGenerator
from personalizer.profiles.history import History, Item, Purchase

DAY = 86_400
SHELVES = {
    ("Beauty", "Skin Care", "Face"): ("Cleansers", "Night Creams", "Oils & Serums", "Masks"),
    ("Beauty", "Makeup", "Nails"): ("Nail Polish", "Top & Base Coats", "Nail Art"),
    ("Beauty", "Hair Care"): ("Shampoos", "Conditioners", "Hair Color", "Styling Tools"),
    ("Home", "Kitchen"): ("Skillets", "Chef's Knives", "Coffee Capsules", "Mugs"),
    ("Pets", "Cats"): ("Dry Cat Food", "Cat Litter", "Cat Fountains"),
}
BRANDS = ("Lirelle", "Dewmarrow", "Skarvik", "Pawlish", "Halvern", "")


def made_up(count: int, seed: int) -> list[History]:
    """Shoppers with 3 to 15 purchases, each with a few favourite shelves."""
    rng = random.Random(seed)  # noqa: S311 - a shop, not a secret
    items = [
        Item(f"{path}{leaf}{n}", f"{leaf} No. {n}", (*path, leaf), rng.choice(BRANDS), rng.random())
        for path, leaves in SHELVES.items()
        for leaf in leaves
        for n in range(40)
    ]
    found = []
    for n in range(count):
        mine = rng.sample(items, 6)
        when = sorted(rng.randrange(15_000, 20_000) * DAY for _ in range(rng.randint(3, 15)))
        bought = tuple(Purchase(rng.choice(mine), time) for time in when)
        found.append(History(f"u{n}", bought, digest=str(n)))
    return found


def of_home(home: Path) -> list[History]:
    """The shoppers of a home as of the moment that serves."""
    from recsys.artifacts import ArtifactStore
    from recsys.pipeline.stages.profiles import population

    store = ArtifactStore(home)
    kinds = ("tables", "features", "embeddings")
    inputs = {kind: store.open(kind, str(store.current(kind))) for kind in kinds}
    return list(population(inputs, "serve").histories)


def write(histories: list[History]) -> tuple[float, list[tuple[str, str]]]:
    """Seconds, and digestion and profile of each."""
    generator = TemplateGenerator()
    began = time.perf_counter()
    digests = generator.answer([Request("digest", "", each) for each in histories])
    profiles = generator.answer([Request("profile", "", each) for each in histories])
    seconds = time.perf_counter() - began
    return seconds, [(d.text, p.text) for d, p in zip(digests, profiles, strict=True)]


def main() -> None:
    """Print some profiles and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, help="profiles to print")
    args = parser.parse_args()
    histories = of_home(args.home) if args.home else made_up(args.count, seed=0)
    shards = [histories[n :: args.workers] for n in range(args.workers)]
    with ProcessPoolExecutor(args.workers) as pool:
        list(pool.map(write, [shard[:50] for shard in shards]))  # processes are up
        began = time.perf_counter()
        results = list(pool.map(write, shards))
        wall = time.perf_counter() - began
    slowest = max(seconds for seconds, _ in results)
    texts = [text for _, pairs in results for text in pairs]
    for digest, profile in texts[: args.show]:
        sys.stdout.write(f"{digest}\n  {profile}\n")
    figures = {
        "profiles": len(texts),
        "different": len({profile for _, profile in texts}),
        "workers": args.workers,
        "per_second": round(len(texts) / slowest),
        "per_second_with_transfer": round(len(texts) / wall),
        "mean_words": round(sum(len(p.split()) for _, p in texts) / max(1, len(texts)), 1),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
