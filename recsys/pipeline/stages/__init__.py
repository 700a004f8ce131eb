"""The stages of a run, in order: what each reads, and what makes its artifact another one.

This table is all that loads with it; a stage's function, and what that imports, loads when it runs.
"""

from recsys.pipeline.stage import Stage

_HERE = "recsys.pipeline.stages"
# from the ranker on, stages share their helpers
_RANKING = (
    _HERE,
    "recsys.pipeline.parts",
    "recsys.candidates",
    "recsys.ranker",
    "recsys.catalogue",
    "recsys.shoppers",
    "recsys.sales",
    "recsys.sparse",
    "recsys.compiled",
    "recsys.recommend",
    "recsys.decision",
    "recsys.ladder",
    "recsys.lists",
    "recsys.rerank",
    "recsys.tastes",
)
# what trains the language model and its adapters, and scores with them; neither profiles nor server
_MODEL = tuple(
    f"personalizer.{part}"
    for part in (
        "lm", "hypernet", "lora", "train", "proof", "rival", "methods.by_peft", "scoring",
        "prompts", "vectors", "weights", "embedding",
    )
)  # fmt: skip
_TWO_STAGES = ("tables", "features", "embeddings", "index")
_ALL = (*_TWO_STAGES, "ranker", "lm", "hypernet", "blend")

STAGES: tuple[Stage, ...] = (
    Stage(
        name="ingest",
        kind="tables",
        make=f"{_HERE}.data:ingest",
        spark=True,
        settings=("features.ingest",),
        code=("features",),
    ),
    Stage(
        name="features",
        kind="features",
        make=f"{_HERE}.data:features",
        spark=True,
        inputs=("tables",),
        settings=("features.history", "cuts"),
        code=("features",),
    ),
    Stage(
        name="embeddings",
        kind="embeddings",
        make=f"{_HERE}.data:embeddings",
        inputs=("tables", "features"),
        settings=("features.embedding", "personalizer.encoder", "seed"),
        code=("features", "personalizer.encoder"),
    ),
    Stage(
        name="quality",
        kind="quality",
        make=f"{_HERE}.quality:quality",
        holds=f"{_HERE}.quality:holds",
        spark=True,
        inputs=("tables", "features", "embeddings"),
        settings=("features.quality",),
        code=("features.quality", "recsys.results.quality"),
    ),
    Stage(
        name="index",
        kind="index",
        make=f"{_HERE}.models:index",
        inputs=("tables", "features", "embeddings"),
        settings=("index", "seed"),
        code=(
            "recsys.candidates",
            "recsys.catalogue",
            "recsys.shoppers",
            "recsys.sparse",
            "recsys.compiled",
            "features.embeddings",
            "features.decay",
        ),
    ),
    Stage(
        name="ranker",
        kind="ranker",
        make=f"{_HERE}.models:ranker",
        inputs=_TWO_STAGES,
        settings=("ranker", "candidates", "index", "seed"),
        code=_RANKING,
    ),
    Stage(
        name="profiles",
        kind="profiles",
        make=f"{_HERE}.profiles:profiles",
        turn=f"{_HERE}.profiles:turn",
        inputs=("tables", "features", "embeddings"),
        settings=("personalizer.profiles", "personalizer.encoder", "seed"),
        code=("personalizer.profiles", "personalizer.encoder", "recsys.profiles"),
    ),
    Stage(
        name="store",
        kind="store",
        make=f"{_HERE}.data:store",
        holds="recsys.pipeline.marks:holds",
        inputs=("features", "embeddings", "index", "profiles"),
        settings=("features.store",),
        code=("features",),
    ),
    Stage(
        name="lm",
        kind="lm",
        make=f"{_HERE}.models:lm",
        inputs=("tables", "features", "embeddings"),
        settings=("personalizer.lm", "seed"),
        code=_MODEL,
    ),
    Stage(
        name="hypernet",
        kind="hypernet",
        make=f"{_HERE}.models:hypernet",
        # of the index, who buys alike
        inputs=(*_TWO_STAGES, "lm"),
        settings=("personalizer.lm", "personalizer.hypernet", "features.embedding", "seed"),
        code=(*_MODEL, "features.decay", "recsys.tastes", "recsys.pairs"),
    ),
    Stage(
        name="blend",
        kind="blend",
        make=f"{_HERE}.models:blend",
        inputs=(*_TWO_STAGES, "ranker", "lm", "hypernet"),
        settings=(
            "ranker.weigh_share",
            "candidates",
            "index",
            "lists.rerank",
            "personalizer.lm",
            "seed",
        ),
        code=(*_RANKING, *_MODEL),
    ),
    Stage(
        name="decision",
        kind="decision",
        make=f"{_HERE}.decision:decision",
        inputs=_ALL,
        settings=(
            "decision",
            "ranker.weigh_share",
            "candidates",
            "lists.rerank",
            "personalizer.lm",
            "personalizer.profiles.most_personas",
            "seed",
        ),
        code=(*_RANKING, *_MODEL, "recsys.evaluation"),
    ),
    Stage(
        name="lists",
        kind="lists",
        make=f"{_HERE}.lists:lists",
        inputs=(*_ALL, "decision"),
        settings=("lists", "candidates", "personalizer.lm", "seed"),
        code=(*_RANKING, *_MODEL, "recsys.pipeline.batch"),
    ),
    Stage(
        name="preference",
        kind="preference",
        make=f"{_HERE}.preference:preference",
        inputs=(*_TWO_STAGES, "ranker", "lm", "hypernet"),
        settings=(
            "report.preference",
            "ranker.weigh_share",
            "index",
            "personalizer.lm",
            "personalizer.profiles",
            "seed",
        ),
        code=(
            *_RANKING,
            *_MODEL,
            "personalizer.methods",
            "personalizer.calibration",
            "recsys.evaluation",
        ),
    ),
    Stage(
        name="report",
        kind="report",
        make=f"{_HERE}.report:report",
        # the release to compare with; of a run over the same inputs, the one it was compared with
        turn="recsys.pipeline.champion:rival",
        inputs=(*_ALL, "decision", "quality", "profiles", "preference"),
        settings=(
            "lists",
            "candidates",
            "report",
            "ranker.weigh_share",
            "features.store.max_age",
            "features.store.max_age_days",
            "personalizer.lm",
            "seed",
        ),
        code=(*_RANKING, *_MODEL, "recsys.evaluation", "recsys.report", "recsys.pipeline.champion"),
    ),
)
