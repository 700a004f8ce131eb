"""Candidate sources: each proposes items to shoppers; the pool blends them."""

from recsys.candidates.base import DEFAULT, SOURCES, CandidateSource, Parts, build_sources
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.favourites import Favourites
from recsys.candidates.live_index import LiveIndex
from recsys.candidates.neighbours import Neighbours, Transitions
from recsys.candidates.pool import Pool, build_pool
from recsys.candidates.popular import Popular
from recsys.candidates.repeat import Repeat
from recsys.candidates.serving import Serving
from recsys.candidates.similar import SimilarToLast, SimilarToTaste

__all__ = [
    "DEFAULT",
    "SOURCES",
    "CandidateSource",
    "Favourites",
    "ItemIndex",
    "LiveIndex",
    "Neighbours",
    "Parts",
    "Pool",
    "Popular",
    "Repeat",
    "Serving",
    "SimilarToLast",
    "SimilarToTaste",
    "Transitions",
    "build_pool",
    "build_sources",
]
