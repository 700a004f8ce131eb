"""What is learned: index, language model, hypernetwork, ranker. All from before the report."""

import json

import numpy as np

from features.decay import prefix_vectors
from recsys.arrays import Floats, Ints, Longs
from recsys.artifacts.store import Draft
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.neighbours import Transitions
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.pipeline.moments import NAMES, RunMoments
from recsys.pipeline.parts import (
    FAISS,
    NEIGHBOURS,
    Inputs,
    catalogue_of,
    moment_folder,
    shoppers_at,
    sources_at,
    stats_at,
)
from recsys.pipeline.stage import Context
from recsys.ranker.labels import Labels
from recsys.ranker.model import train as train_ranker
from recsys.ranker.model import training_set
from recsys.recommend import Options, Recommender
from recsys.rerank import Reranker
from recsys.settings import Settings
from recsys.shoppers import Shoppers

with extra("llm"):
    from personalizer.hypernet import HyperNetwork
    from personalizer.lm import load, tiny
    from personalizer.lora import attach
    from personalizer.scoring import TitleScorer
    from personalizer.train import train as train_hypernet

BLEND = "blend.json"
# shoppers in the last fifth choose the language model's weight; the ranker never sees their labels
_BLEND_SHARE = 0.2


def index(context: Context, draft: Draft) -> None:
    """Index the items and lay out the neighbours of the three moments."""
    catalogue = catalogue_of(context.inputs)
    settings = context.settings
    built = ItemIndex.build(catalogue, settings.index, seed=settings.seed)
    built.save(draft.path / FAISS)
    for name in NAMES:
        table = moment_folder(context.inputs, name) / "transitions"
        Transitions.build(table, catalogue).save(draft.path / NEIGHBOURS / name)
    draft.describe(metrics={"items": len(built), "kind": built.kind, "recall": built.recall})


def lm(context: Context, draft: Draft) -> None:
    """Train the tiny language model on the catalogue, or name the one to load."""
    config = context.settings.personalizer.lm
    if config.name != "tiny":
        (draft.path / "name.txt").write_text(config.name, encoding="utf-8")
        draft.describe(metrics={"model": config.name})
        return
    catalogue = catalogue_of(context.inputs)
    shoppers = shoppers_at(context.inputs, "train", catalogue)
    metrics = tiny.pretrain(
        _texts(catalogue, shoppers),
        config,
        seed=context.settings.seed,
        out=draft.path,
        progress=context.progress("lm"),
    )
    draft.describe(metrics=dict(metrics))


def _texts(catalogue: Catalogue, shoppers: Shoppers) -> list[str]:
    """Every title, and every shopper's titles in the order she bought them."""
    titles = [title for title in catalogue.titles if title]
    histories = (shoppers.history(row) for row in range(len(shoppers)))
    journeys = ("\n".join(catalogue.titles[item] for item in items) for items in histories)
    return [*titles, *(text for text in journeys if text)]


def hypernet(context: Context, draft: Draft) -> None:
    """Train the hypernetwork on what shoppers bought next."""
    catalogue = catalogue_of(context.inputs)
    shoppers = shoppers_at(context.inputs, "train", catalogue)
    vectors, items = _next_purchases(catalogue, shoppers, context.settings)
    network, metrics = train_hypernet(
        _language_model(context.inputs, context.settings),
        vectors,
        [catalogue.titles[item] for item in items],
        context.settings.personalizer.hypernet,
        seed=context.settings.seed,
        progress=context.progress("hypernet"),
    )
    network.save(draft.path)
    draft.describe(metrics=dict(metrics))


def _next_purchases(
    catalogue: Catalogue, shoppers: Shoppers, settings: Settings
) -> tuple[Floats, Ints]:
    """Pairs (taste before a purchase, the item bought), from every second purchase on."""
    before = prefix_vectors(
        shoppers.indptr,
        shoppers.items,
        shoppers.times,
        np.asarray(catalogue.vectors),
        settings.features.embedding.half_life_purchases,
    )
    titled = np.array([bool(catalogue.titles[item]) for item in shoppers.items], bool)
    taught = np.any(before, axis=1) & titled
    return before[taught], shoppers.items[taught]


def _language_model(inputs: Inputs, settings: Settings) -> load.LanguageModel:
    config = settings.personalizer.lm
    where = str(inputs["lm"].path) if config.name == "tiny" else config.name
    return load.load(where, config)


def reranker_of(inputs: Inputs, catalogue: Catalogue, settings: Settings) -> Reranker:
    """The language model with its hypernetwork, ready to score titles."""
    model = _language_model(inputs, settings)
    config = settings.personalizer.hypernet
    network = HyperNetwork.load(
        inputs["hypernet"].path,
        shapes=attach(model.model, config.targets, config.scale).shapes,
        user_dim=catalogue.vectors.shape[1],
    )
    return TitleScorer(model, network, catalogue.titles)


def ranker(context: Context, draft: Draft) -> None:
    """Train the ranker, then choose the weight of the language model on other shoppers."""
    inputs, settings = context.inputs, context.settings
    catalogue = catalogue_of(inputs)
    stats = stats_at(inputs, "train", catalogue)
    sources = sources_at(inputs, "train", catalogue, stats, settings.index.device)
    shoppers = shoppers_at(inputs, "train", catalogue)
    moments = RunMoments.read(inputs["features"].path)
    labels = Labels.load(
        inputs["tables"].path / "purchases", shoppers, catalogue, moments.train, moments.eval
    )
    learning, choosing = _halves(len(shoppers))
    data = training_set(
        shoppers.take(learning),
        labels.take(learning),
        sources,
        catalogue=catalogue,
        stats=stats,
        size=settings.candidates.pool,
        progress=context.progress("ranker"),
    )
    ranker = train_ranker(data, settings.ranker, settings.seed)
    ranker.save(draft.path)
    fit = Recommender(
        catalogue,
        stats,
        sources,
        ranker,
        reranker_of(inputs, catalogue, settings),
        options=Options.of(settings),
    ).fit_blend(shoppers.take(choosing), labels.take(choosing).targets)
    document = {"weight": fit.weight, "ndcg": {str(w): v for w, v in fit.ndcg.items()}}
    (draft.path / BLEND).write_text(json.dumps(document, indent=1), encoding="utf-8")
    draft.describe(metrics={**ranker.metrics, "lm_weight": fit.weight})


def _halves(users: int) -> tuple[Longs, Longs]:
    """Rows to learn from and rows to choose by; shoppers stand in the order of a hash."""
    cut = round(users * (1 - _BLEND_SHARE))
    rows = np.arange(users, dtype=np.int64)
    return rows[:cut], rows[cut:]
