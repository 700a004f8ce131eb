"""What is learned: index, language model, hypernetwork, ranker. All from before the report."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from features.embeddings import embed_users
from recsys.arrays import PAD, Ints
from recsys.artifacts.store import Draft
from recsys.candidates import ItemMatrix, LinkVectors
from recsys.candidates.collaborative import HALF_LIFE
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.matrices import wording
from recsys.candidates.similar import nearest_items
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.pairs import pairs
from recsys.pipeline.moments import SERVE, RunMoments
from recsys.pipeline.parts import (
    BLEND,
    FAISS,
    LINKS,
    Inputs,
    catalogue_of,
    deciding,
    moment_folder,
    shelf_at,
    shoppers_at,
    sources_at,
    targets_at,
    tastes_of,
    two_stage_at,
)
from recsys.pipeline.stage import Context
from recsys.ranker.model import TrainingSet, training_set
from recsys.ranker.model import train as train_ranker
from recsys.rerank import BlendFit, Reranker
from recsys.rerank_http import HttpReranker
from recsys.settings import Settings
from recsys.shoppers import Shoppers
from recsys.tables import read_table
from recsys.tastes import Tastes

with extra("recsys"):
    import pyarrow as pa

with extra("llm"):
    from personalizer.hypernet import HyperNetwork
    from personalizer.lm import load, tiny
    from personalizer.lora import attach
    from personalizer.proof import prove
    from personalizer.rival import everybodys
    from personalizer.scoring import TitleScorer
    from personalizer.train import parted
    from personalizer.train import train as train_hypernet

log = structlog.get_logger(__name__)

PROOF = "proof"


def index(context: Context, draft: Draft) -> None:
    """Index the items, and lay out how they lead to each other at each moment."""
    catalogue, settings = catalogue_of(context.inputs), context.settings
    made = ItemIndex.build(catalogue, settings.index, seed=settings.seed)
    made.save(draft.path / FAISS)
    nearest_items(made).save(draft.path / "similar")
    wording(catalogue).save(draft.path / "wording")
    names = RunMoments.read(context.path("features")).names
    for done, name in enumerate(names, start=1):
        _links(context, name, draft.path / name, catalogue)
        context.observer.progress("index", done, len(names))
    draft.describe(metrics={"items": len(catalogue), "kind": made.kind, "recall": made.recall})


def _links(context: Context, moment: str, out: Path, catalogue: Catalogue) -> None:
    """Write the matrices and the learned vectors of one moment."""
    folder = moment_folder(context.inputs, moment)
    for name in ("transitions", "co_purchases", "together"):
        ItemMatrix.from_table(folder / name, catalogue).save(out / name)
    ItemMatrix.load(out / "transitions", catalogue).twice().save(out / "two_steps")
    support = ItemMatrix.from_table(folder / "transitions", catalogue, "support")
    settings = context.settings
    learned = LinkVectors.learn(support, catalogue, settings.index, seed=settings.seed)
    learned.save(out / LINKS)
    if moment == SERVE:  # the online store takes it from here
        embed_users(
            read_table(folder / "user_history", ["user_id", "item_ids", "item_times"]),
            pa.chunked_array([catalogue.item_ids], pa.string()),
            learned.queries,
            learned.version,
            half_life=HALF_LIFE,
            as_of=RunMoments.read(context.path("features")).serve,
            out=out / "user_collaborative",
        )


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
        texts_of(catalogue, shoppers),
        config,
        seed=context.settings.seed,
        out=draft.path,
        progress=context.progress("lm"),
    )
    draft.describe(metrics=dict(metrics))


def texts_of(catalogue: Catalogue, shoppers: Shoppers) -> list[str]:
    """Every title, and every shopper's titles in the order she bought them."""
    titles = [title for title in catalogue.titles if title]
    histories = (shoppers.history(row) for row in range(len(shoppers)))
    journeys = ("\n".join(catalogue.titles[item] for item in items) for items in histories)
    return [*titles, *(text for text in journeys if text)]


def hypernet(context: Context, draft: Draft) -> None:
    """Train the hypernetwork on what shoppers bought next."""
    catalogue = catalogue_of(context.inputs)
    shoppers = shoppers_at(context.inputs, "train", catalogue)
    tastes = _tastes_to_learn(context, catalogue)
    config, seed = context.settings.personalizer.hypernet, context.settings.seed
    alike = ItemIndex.load(context.path("index") / FAISS, catalogue)
    taught = pairs(shoppers, tastes, alike, config.catalogue, seed=seed)
    model = language_model(context.inputs, context.settings)
    shelf = [title for title in catalogue.titles if title]
    network, metrics = train_hypernet(
        model,
        taught.vectors,
        taught.titles,
        config,
        seed=seed,
        shelf=shelf,
        among=taught.purchases,
        progress=context.progress("hypernet"),
    )
    learned, unseen = parted(taught.titles, seed=seed, among=taught.purchases)
    vectors, asked = taught.vectors[unseen], [taught.titles[row] for row in unseen]
    bought = [taught.titles[row] for row in learned if row < taught.purchases]
    rival = everybodys(model, bought, asked, config, shelf=shelf, seed=seed)
    verdict = prove(
        model,
        network,
        vectors,
        asked,
        shelf=shelf,
        seed=seed,
        rivals={"mt_lora": rival},
        parts=tastes.alone(vectors),
    )
    if not verdict.proved:
        log.warning("hypernet_not_proved", why=verdict.why)
    network.save(draft.path)
    tastes.save(draft.path, catalogue)
    draft.describe(metrics={**metrics, PROOF: verdict.document()})


def _tastes_to_learn(context: Context, catalogue: Catalogue) -> Tastes:
    """What shoppers are told by; who buys alike as of the moment that teaches."""
    settings = context.settings
    words = Tastes.of_words(catalogue, settings.features.embedding.half_life_purchases)
    source = settings.personalizer.hypernet.embedding
    if source == "text":
        return words
    folder = context.path("index") / "train" / LINKS
    return words.linked(source, LinkVectors.load(folder, catalogue))


def unproved(inputs: Inputs) -> str:
    """Why the hypernetwork must not serve; empty where it is proved to be personal."""
    proof = inputs["hypernet"].manifest.metrics.get(PROOF)
    if proof is None:
        return "it was never proved to be personal"
    return "" if proof["proved"] else str(proof["why"])


def language_model(inputs: Inputs, settings: Settings) -> load.LanguageModel:
    """The base model: trained by the stage `lm`, or the one it names."""
    config = settings.personalizer.lm
    where = str(inputs["lm"].path) if config.name == "tiny" else config.name
    return load.load(where, config)


def hypernet_of(
    inputs: Inputs, model: load.LanguageModel, catalogue: Catalogue, settings: Settings
) -> HyperNetwork:
    """The trained hypernetwork, for that model and the catalogue's embeddings."""
    config = settings.personalizer.hypernet
    return HyperNetwork.load(
        inputs["hypernet"].path,
        shapes=attach(model.model, config.targets, config.factor).shapes,
        user_dim=tastes_of(inputs, catalogue, settings).dim,
    ).to(model.device)


def reranker_of(inputs: Inputs, catalogue: Catalogue, settings: Settings) -> Reranker:
    """The language model with its hypernetwork, ready to score titles.

    On the model server that is set, if it has this very hypernetwork; else in this process. The
    scores are the same.
    """
    server = settings.personalizer.server
    if server.url:
        version = inputs["hypernet"].version
        far = HttpReranker(server.url, catalogue.titles, hypernet=version, timeout=server.timeout_s)
        if far.serves():
            return far
        log.warning("other_hypernet", server=server.url, wanted=version)
    model = language_model(inputs, settings)
    return TitleScorer(model, hypernet_of(inputs, model, catalogue, settings), catalogue.titles)


def ranker(context: Context, draft: Draft) -> None:
    """Train the ranker on what was bought after `early` and `train`; then `validate` decides."""
    inputs, settings = context.inputs, context.settings
    catalogue = catalogue_of(inputs)
    taught = [_lesson(context, moment, catalogue) for moment in ("early", "train")]
    watching = _lesson(context, "validate", catalogue, watching=True)
    made = train_ranker(taught, settings.ranker, settings.seed, watching)
    made.save(draft.path)
    draft.describe(metrics=dict(made.metrics))


def _lesson(
    context: Context, moment: str, catalogue: Catalogue, *, watching: bool = False
) -> TrainingSet:
    """Pools and what was bought of them after a moment: of all, or of who decides."""
    inputs, settings = context.inputs, context.settings
    shelf = shelf_at(inputs, moment, catalogue)
    shoppers = shoppers_at(inputs, moment, catalogue)
    labels = targets_at(inputs, moment, shoppers, catalogue).labels
    if watching:
        rows = deciding(len(shoppers), settings.ranker.weigh_share)[0]
        shoppers, labels = shoppers.take(rows), labels.take(rows)
    return training_set(
        shoppers,
        labels,
        sources_at(inputs, moment, shelf, settings.index.device),
        shelf,
        size=settings.candidates.pool,
        mask_history=settings.candidates.mask_history,
        progress=context.progress("ranker"),
    )


def blend(context: Context, draft: Draft) -> None:
    """Choose the weight of the language model, on shoppers that the ranker has not seen.

    One that is not proved to be personal gets none.
    """
    inputs, settings = context.inputs, context.settings
    if why := unproved(inputs):
        _weigh(draft, BlendFit(0.0, {}), why)
        return
    catalogue = catalogue_of(inputs)
    shoppers, targets = weighing(inputs, catalogue, settings)
    fit = replace(
        two_stage_at(inputs, "validate", catalogue, settings),
        reranker=reranker_of(inputs, catalogue, settings),
        tastes=tastes_of(inputs, catalogue, settings),
    ).fit_blend(shoppers, targets)
    left = len(shoppers)
    why = "it is not known to help on validation" if left else "nobody was left to weigh it on"
    _weigh(draft, fit, "" if fit.weight else why)


def _weigh(draft: Draft, fit: BlendFit, why: str) -> None:
    """Write the weight, and why it is none if so."""
    ndcg = {str(weight): value for weight, value in fit.ndcg.items()}
    document = {"weight": fit.weight, "why": why, "ndcg": ndcg}
    (draft.path / BLEND).write_text(json.dumps(document, indent=1), encoding="utf-8")
    draft.describe(metrics={"lm_weight": fit.weight, "lm_left_out": why})


def weighing(inputs: Inputs, catalogue: Catalogue, settings: Settings) -> tuple[Shoppers, Ints]:
    """The validation shoppers who neither taught nor decided on the ranker, and what they bought.

    They weigh the language model and decide whom it serves; only those with a history and a
    purchase that the catalogue has.
    """
    shoppers = shoppers_at(inputs, "validate", catalogue)
    rows = deciding(len(shoppers), settings.ranker.weigh_share)[1]
    targets = targets_at(inputs, "validate", shoppers, catalogue).labels.targets[rows]
    asked = np.flatnonzero((targets != PAD) & (shoppers.lengths[rows] > 0))
    return shoppers.take(rows[asked]), targets[asked]
