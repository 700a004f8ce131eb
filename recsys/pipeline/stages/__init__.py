"""The stages, in order. Each module holds those of one part of the way."""

from recsys.pipeline.stage import Stage
from recsys.pipeline.stages.data import EMBEDDINGS, FEATURES, INGEST, STORE
from recsys.pipeline.stages.models import HYPERNET, INDEX, LM, RANKER
from recsys.pipeline.stages.output import LISTS, REPORT

STAGES: tuple[Stage, ...] = (
    INGEST,
    FEATURES,
    EMBEDDINGS,
    STORE,
    INDEX,
    LM,
    HYPERNET,
    RANKER,
    LISTS,
    REPORT,
)

__all__ = ["STAGES"]
