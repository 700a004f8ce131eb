"""The pipeline with the answers taken out first: whatever is learned never saw them.

The tables without the answers stand in for the tables; all later stages run as they always do.
"""

from recsys.artifacts import Artifact
from recsys.artifacts.store import Draft
from recsys.errors import StageError, extra
from recsys.evaluation.preference.answers import Answers, Rules, choose
from recsys.pipeline.stage import Context, Stage
from recsys.pipeline.stages import STAGES
from recsys.settings import PreferenceSettings
from recsys.tables import read_table

with extra("recsys"):
    import pyarrow.parquet as pq

_HERE = "recsys.evaluation.preference.stages"
ANSWERS = "answers"
DECIDES = ("least_categories", "category_level", "shoppers")  # who is asked
UNUSED = ("profiles", "store")  # nothing is served here
SHARDS = 8  # files of the purchases: Spark reads them side by side


def hide(context: Context, draft: Draft) -> None:
    """Write the tables without the answers, and the answers beside them."""
    whole = context.path("tables")
    purchases, items = read_table(whole / "purchases"), read_table(whole / "items")
    rules = rules_of(context.settings.report.preference)
    answers = choose(purchases, items, rules, context.settings.seed)
    if not len(answers):
        raise StageError(
            f"no shopper bought in {rules.categories} categories, and in one of them "
            f"{rules.siblings} products",
            where=f"category level {rules.level}",
            fix="lower report.preference.least_categories, or choose another category level",
        )
    kept = answers.removed_from(purchases)
    for name, table, shards in (
        ("purchases", kept, SHARDS),
        ("items", items, 1),
        (ANSWERS, answers.table(), 1),
    ):
        (draft.path / name).mkdir()
        size = -(-table.num_rows // shards) or 1
        for shard in range(shards):
            part = table.slice(shard * size, size)
            pq.write_table(part, draft.path / name / f"part-{shard:05}.parquet")
    metrics = context.inputs["tables"].manifest.metrics
    draft.describe(
        metrics={
            **metrics,
            "purchases": kept.num_rows,
            "answers": len(answers),
            "asked": int(answers.test.sum()),
        }
    )


def rules_of(settings: PreferenceSettings) -> Rules:
    """The rules that the settings name."""
    return Rules(
        categories=settings.least_categories,
        level=settings.category_level,
        test_most=settings.shoppers,
    )


HIDE = Stage(
    name="hide",
    kind="tables",
    make=f"{_HERE}:hide",
    inputs=("tables",),
    settings=(*(f"report.preference.{name}" for name in DECIDES), "seed"),
    code=("recsys.evaluation.preference.answers",),
)


def stages_of(*, hidden: bool) -> tuple[Stage, ...]:
    """The stages that a measurement needs; with `hidden` the answers are taken out at once."""
    first, *rest = (stage for stage in STAGES if stage.name not in UNUSED)
    return (first, *((HIDE,) if hidden else ()), *rest)


def hidden_answers(tables: Artifact) -> Answers:
    """The answers that a stage hid from its tables."""
    return Answers.of(read_table(tables.path / ANSWERS))
