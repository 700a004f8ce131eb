"""Open artifacts as the parts of a recommender, at one of the moments."""

from pathlib import Path

from recsys.artifacts import Artifact
from recsys.candidates import Parts, build_sources
from recsys.candidates.base import CandidateSource
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.index_device import Device
from recsys.candidates.neighbours import Transitions
from recsys.catalogue import Catalogue, ItemStats
from recsys.shoppers import Shoppers

Inputs = dict[str, Artifact]

FAISS, NEIGHBOURS = "faiss", "neighbours"


def catalogue_of(inputs: Inputs) -> Catalogue:
    """The items and their vectors."""
    return Catalogue.load(inputs["tables"].path / "items", inputs["embeddings"].path)


def moment_folder(inputs: Inputs, moment: str) -> Path:
    """The features at a moment."""
    return inputs["features"].path / moment


def shoppers_at(inputs: Inputs, moment: str, catalogue: Catalogue) -> Shoppers:
    """All shoppers as they were at a moment."""
    return Shoppers.load(
        moment_folder(inputs, moment), inputs["embeddings"].path / moment, catalogue
    )


def stats_at(inputs: Inputs, moment: str, catalogue: Catalogue) -> ItemStats:
    """Item statistics as they were at a moment."""
    return ItemStats.load(moment_folder(inputs, moment) / "item_stats", catalogue)


def sources_at(
    inputs: Inputs,
    moment: str,
    catalogue: Catalogue,
    stats: ItemStats,
    device: Device = "cpu",
) -> list[CandidateSource]:
    """The candidate sources as they were at a moment."""
    index = inputs["index"].path
    return build_sources(
        Parts(
            catalogue,
            stats,
            ItemIndex.load(index / FAISS, catalogue, device),
            Transitions.load(index / NEIGHBOURS / moment, catalogue),
        )
    )
