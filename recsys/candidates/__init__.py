"""Candidate sources: each proposes items to shoppers; their votes make the pool."""

from recsys.candidates.base import (
    DEFAULT,
    SOURCES,
    CandidateSource,
    Parts,
    Proposal,
    build_sources,
)
from recsys.candidates.collaborative import Collaborative as LinkVectors
from recsys.candidates.faiss_index import ItemIndex
from recsys.candidates.favourites import Favourites
from recsys.candidates.matrices import ItemMatrix
from recsys.candidates.neighbours import Linked
from recsys.candidates.pool import Pool, build_pool, pool_of, ranks_of
from recsys.candidates.popular import Fresh, Popular
from recsys.candidates.repeat import Repeat
from recsys.candidates.similar import Collaborative, Fused, SimilarToTaste

__all__ = [
    "DEFAULT",
    "SOURCES",
    "CandidateSource",
    "Collaborative",
    "Favourites",
    "Fresh",
    "Fused",
    "ItemIndex",
    "ItemMatrix",
    "LinkVectors",
    "Linked",
    "Parts",
    "Pool",
    "Popular",
    "Proposal",
    "Repeat",
    "SimilarToTaste",
    "build_pool",
    "build_sources",
    "pool_of",
    "ranks_of",
]
