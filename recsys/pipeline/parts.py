"""Open artifacts as the parts of a recommender, at one of the moments."""

from pathlib import Path
from typing import Any

import numpy as np

from recsys.arrays import Longs
from recsys.artifacts import Artifact
from recsys.candidates import LinkVectors, Parts, build_sources
from recsys.candidates.base import CandidateSource
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.index_device import Device
from recsys.candidates.matrices import ItemMatrix
from recsys.candidates.personas import Personas
from recsys.catalogue import Catalogue, ItemStats
from recsys.decision import Decision
from recsys.errors import extra
from recsys.pipeline.moments import NAMES, RunMoments
from recsys.ranker.features import Shelf
from recsys.ranker.labels import Targets
from recsys.ranker.model import Ranker
from recsys.recommend import Options, Recommender
from recsys.sales import Sales
from recsys.settings import Settings
from recsys.shoppers import Shoppers
from recsys.tables import WHOLE, Shard, read_json, read_table
from recsys.tastes import Tastes

with extra("recsys"):
    import pyarrow as pa

Inputs = dict[str, Artifact]

FAISS, LINKS, BLEND, PERSONAS = "faiss", "links", "blend.json", "personas"
PREFERENCE = "preference.json"
LEFT_OUT = NAMES[-2::-1]  # by leave-one-out: whose targets are taken, from the last purchase on
# of the catalogue alone, and of what was bought before a moment
STANDING = ("wording", "similar")
MOVING = ("transitions", "two_steps", "co_purchases", "together")


def catalogue_of(inputs: Inputs) -> Catalogue:
    """The items and their vectors."""
    return Catalogue.load(inputs["tables"].path / "items", inputs["embeddings"].path)


def moment_folder(inputs: Inputs, moment: str) -> Path:
    """The features at a moment."""
    return inputs["features"].path / moment


def shoppers_at(
    inputs: Inputs, moment: str, catalogue: Catalogue, shard: Shard = WHOLE
) -> Shoppers:
    """All shoppers, or one shard of them, as they were at a moment."""
    return Shoppers.load(
        moment_folder(inputs, moment),
        inputs["embeddings"].path / moment,
        catalogue,
        own_moments=RunMoments.read(inputs["features"].path).protocol == "leave-one-out",
        shard=shard,
    )


def targets_at(inputs: Inputs, moment: str, shoppers: Shoppers, catalogue: Catalogue) -> Targets:
    """What the shoppers went on to buy after a moment."""
    return Targets.load(inputs["features"].path / "targets" / moment, shoppers, catalogue)


def shelf_at(inputs: Inputs, moment: str, catalogue: Catalogue) -> Shelf:
    """What is known of the items at a moment."""
    folder = moment_folder(inputs, moment)
    return Shelf(
        catalogue,
        ItemStats.load(folder / "item_stats", catalogue),
        Sales.load(folder / "item_days", catalogue),
    )


def sources_at(
    inputs: Inputs, moment: str, shelf: Shelf, device: Device = "cpu"
) -> list[CandidateSource]:
    """The candidate sources as they were at a moment, searching on a device."""
    catalogue, index = shelf.catalogue, inputs["index"].path
    standing = {name: ItemMatrix.load(index / name, catalogue) for name in STANDING}
    moving = {name: ItemMatrix.load(index / moment / name, catalogue) for name in MOVING}
    sold = np.log1p(shelf.stats.purchases).astype(np.float32)
    return build_sources(
        Parts(
            catalogue,
            shelf.stats,
            shelf.sales,
            ItemIndex.load(index / FAISS, catalogue, device),
            LinkVectors.load(index / moment / LINKS, catalogue, device),
            {**standing, **moving, "wording_sold": standing["wording"].scaled(sold)},
        )
    )


def two_stage_at(
    inputs: Inputs, moment: str, catalogue: Catalogue, settings: Settings
) -> Recommender:
    """Candidates and ranker as of a moment, without a language model."""
    shelf = shelf_at(inputs, moment, catalogue)
    return Recommender(
        shelf,
        sources_at(inputs, moment, shelf, settings.index.device),
        Ranker.load(inputs["ranker"].path),
        options=Options.of(settings),
    )


def tastes_of(inputs: Inputs, catalogue: Catalogue, settings: Settings) -> Tastes:
    """What the hypernetwork is told of shoppers."""
    half_life = settings.features.embedding.half_life_purchases
    return Tastes.load(inputs["hypernet"].path, catalogue, half_life)


def blend_weight(inputs: Inputs) -> float:
    """How far the language model is trusted; 0: it is not known to help."""
    return float(read_json(inputs["blend"].path / BLEND)["weight"])


def temperatures(inputs: Inputs) -> dict[str, float]:
    """What the scores of a rung are divided by to be likelihoods of a choice, where measured."""
    if (made := inputs.get("preference")) is None:
        return {}
    laws = read_json(made.path / PREFERENCE)["laws"].values()
    return next((dict(law.get("temperatures", {})) for law in laws), {})


def decided_at(inputs: Inputs, moment: str) -> dict[str, Any]:
    """What a release decided about whom each rung serves, as parts of a recommender.

    One without a decision holds nothing back: no parts.
    """
    if (made := inputs.get("decision")) is None:
        return {}
    groups = Personas.load(made.path / PERSONAS / moment)
    return {"personas": groups, "decision": Decision.read(made.path)}


def known_at(inputs: Inputs, moment: str, catalogue: Catalogue) -> Shoppers:
    """All purchases that statistics may use at a moment, as histories: to learn from them."""
    moments = RunMoments.read(inputs["features"].path)
    columns = ["user_id", "item_id", "event_timestamp"]
    table = inputs["tables"].path / "purchases"
    if moments.protocol == "temporal":
        past = [(time, "<", getattr(moments, moment)) for time in ("event_timestamp", "known_at")]
        return Shoppers.from_purchases(read_table(table, columns, past), catalogue, moments.serve)
    hidden = LEFT_OUT.index(moment) + 1 + (moments.mode == "train-only")
    tables = [_counted(read_table(table, columns), 1)]
    for name in LEFT_OUT[:hidden]:
        left_out = inputs["features"].path / "targets" / name
        tables.append(_counted(read_table(left_out, columns), -1))
    counts = pa.concat_tables(tables).group_by(columns).aggregate([("n", "sum")])
    times = np.maximum(counts["n_sum"].to_numpy(), 0)
    rows = counts.take(np.repeat(np.arange(len(times)), times))
    return Shoppers.from_purchases(rows, catalogue, moments.serve)


def deciding(users: int, weighing: float) -> tuple[Longs, Longs]:
    """Rows that decide on the ranker and rows that weigh the model; shoppers stand in hash order.

    Apart, because the ranker learns from the shoppers that decided on it.
    """
    rows = np.arange(users, dtype=np.int64)
    cut = round(users * (1 - weighing))
    return rows[:cut], rows[cut:]


def _counted(table: Any, each: int) -> Any:
    """Put a count beside each row; Spark's and pyarrow's ways to write a timestamp become one."""
    zoned = table["event_timestamp"].cast(pa.timestamp("us", tz="UTC"))
    table = table.set_column(2, "event_timestamp", zoned)
    return table.append_column("n", pa.array(np.full(len(table), each, np.int64)))
