"""What should a title's score be compared with? `python benchmarks/reranker.py --home .tailor`.

Takes a home that `tailor demo` or `tailor run` made, and each shopper's next purchase after the
report's moment among 19 items drawn uniformly: an easy task that tells ways of scoring apart and
says nothing about lists. Prints, as JSON, the share of shoppers whose purchase comes first by
- `minus_nobody`: the shopper's adapter minus that of the zero vector,
- `minus_bare`: the shopper's adapter minus the bare language model (`HypernetConfig.minus` serves),
- `cosine`: the text embedding of her history and of the item, no language model,
- `shuffled`: what serves with another shopper's vector,
and the mean loss per token of the titles bought, by whose adapter was used.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

from personalizer.proof import shuffled_loses
from personalizer.scoring import TitleScorer
from recsys.arrays import Floats, Ints
from recsys.artifacts import ArtifactStore
from recsys.pipeline.parts import catalogue_of, shoppers_at, targets_at, tastes_of
from recsys.pipeline.stages.models import hypernet_of, language_model
from recsys.settings import load

OTHERS = 19
KINDS = ("tables", "features", "embeddings", "lm", "hypernet")


def first(scores: Floats) -> float:
    """Share of rows whose first column is the strict best."""
    return round(float((scores[:, 0] > scores[:, 1:].max(axis=1)).mean()), 4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=Path(".tailor"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ["TAILOR_HOME"] = str(args.home)
    settings, store = load(), ArtifactStore(args.home)
    inputs = {kind: store.open(kind, store.current(kind) or "") for kind in KINDS}
    catalogue = catalogue_of(inputs)
    shoppers = shoppers_at(inputs, "eval", catalogue)
    bought = targets_at(inputs, "eval", shoppers, catalogue).labels.targets
    tastes = tastes_of(inputs, catalogue, settings).of(shoppers)
    known = np.flatnonzero((bought >= 0) & np.any(shoppers.vectors, axis=1))
    vectors, targets = tastes[known], bought[known]
    rng = np.random.default_rng(args.seed)
    others = rng.integers(len(catalogue) - 1, size=(len(targets), OTHERS))
    others += others >= targets[:, None]  # anything but the target
    items: Ints = np.concatenate([targets[:, None], others], axis=1).astype(np.int32)  # (U, 20)

    model = language_model(inputs, settings)
    network, titles = hypernet_of(inputs, model, catalogue, settings), list(catalogue.titles)
    scorers = {
        f"minus_{minus}": TitleScorer(model, network, titles, minus=minus)
        for minus in ("nobody", "bare")
    }
    serving = scorers[f"minus_{network.config.minus}"]
    words = np.asarray(catalogue.vectors)[items]
    cosine = np.einsum("ud,ukd->uk", shoppers.vectors[known], words)
    titled = [row for row, item in enumerate(targets) if catalogue.titles[item]]
    losses = shuffled_loses(
        model,
        network,
        vectors[titled],
        [catalogue.titles[targets[row]] for row in titled],
        seed=args.seed,
    )
    figures = {
        "shoppers": len(targets),
        "chance": 1 / (OTHERS + 1),
        **{name: first(scorer.score(vectors, items)) for name, scorer in scorers.items()},
        "cosine": first(cosine),
        "shuffled": first(serving.score(np.roll(vectors, 1, axis=0), items)),
        "loss_per_token": {name: round(value, 4) for name, value in losses.items()},
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
