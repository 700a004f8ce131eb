"""What should a title's score be compared with? `python benchmarks/reranker.py --home .tailor`.

Takes a home that `tailor demo` or `tailor run` made, and each shopper's next purchase after the
report's moment among 19 items drawn uniformly: an easy task that tells ways of scoring apart and
says nothing about lists. Prints, as JSON, the share of shoppers whose purchase comes first by
- `minus_nobody`: the shopper's adapter minus that of the zero vector (what the product does),
- `minus_bare`: the shopper's adapter minus the bare language model,
- `cosine`: the text embedding of her history and of the item, no language model,
- `shuffled`: `minus_nobody` with another shopper's vector,
and the mean loss per token of the titles bought, by whose adapter was used.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from personalizer.lm.likelihood import Titles
from personalizer.lm.load import LanguageModel
from personalizer.proof import shuffled_loses
from recsys.arrays import Floats, Ints
from recsys.artifacts import ArtifactStore
from recsys.pipeline.moments import RunMoments
from recsys.pipeline.parts import catalogue_of, shoppers_at
from recsys.pipeline.stages.models import reranker_of
from recsys.ranker.labels import Labels
from recsys.settings import load

OTHERS = 19
KINDS = ("tables", "features", "embeddings", "lm", "hypernet")


def bare(model: LanguageModel, titles: list[str]) -> Floats:
    """Mean log-probability per token of each title by the bare model (I,)."""
    tokenised = Titles.of(model, titles)
    rows = np.arange(len(titles), dtype=np.int64)
    with torch.inference_mode():
        parts = [-tokenised.nll(model, some).cpu().numpy() for some in np.array_split(rows, 32)]
    return np.concatenate(parts)


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
    moments = RunMoments.read(inputs["features"].path)
    shoppers = shoppers_at(inputs, "eval", catalogue)
    purchases = inputs["tables"].path / "purchases"
    bought = Labels.load(purchases, shoppers, catalogue, moments.eval, moments.serve).targets
    known = np.flatnonzero((bought >= 0) & np.any(shoppers.vectors, axis=1))
    vectors, targets = shoppers.vectors[known], bought[known]
    rng = np.random.default_rng(args.seed)
    others = rng.integers(len(catalogue) - 1, size=(len(targets), OTHERS))
    others += others >= targets[:, None]  # anything but the target
    items: Ints = np.concatenate([targets[:, None], others], axis=1).astype(np.int32)  # (U, 20)

    scorer = reranker_of(inputs, catalogue, settings)
    told = scorer.score(vectors, items)
    nobody = scorer._common[items]
    model = scorer._lm
    plain = bare(model, list(catalogue.titles))[items]
    cosine = np.einsum("ud,ukd->uk", vectors, np.asarray(catalogue.vectors)[items])
    titled = [row for row, item in enumerate(targets) if catalogue.titles[item]]
    losses = shuffled_loses(
        model,
        scorer._hypernet,
        vectors[titled],
        [catalogue.titles[targets[row]] for row in titled],
        seed=args.seed,
    )
    figures = {
        "shoppers": len(targets),
        "chance": 1 / (OTHERS + 1),
        "minus_nobody": first(told),
        "minus_bare": first(told + nobody - plain),
        "cosine": first(cosine),
        "shuffled": first(scorer.score(np.roll(vectors, 1, axis=0), items)),
        "loss_per_token": {name: round(value, 4) for name, value in losses.items()},
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
