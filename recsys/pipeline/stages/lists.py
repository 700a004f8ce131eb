"""The lists: one for every shopper, and one for whoever has none."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys.arrays import PAD
from recsys.artifacts.store import Draft
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.ladder import Rung
from recsys.listing import DEFAULT, LISTS
from recsys.lists import Lists
from recsys.pipeline.parts import catalogue_of, shoppers_at, two_stage_at
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.models import BLEND, reranker_of
from recsys.recommend import Recommender
from recsys.shoppers import Shoppers

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq


def recommender_at(context: Context, moment: str, catalogue: Catalogue) -> Recommender:
    """All parts as they were at a moment; the models are always those that were trained."""
    inputs, settings = context.inputs, context.settings
    weight = json.loads((inputs["blend"].path / BLEND).read_text(encoding="utf-8"))["weight"]
    return replace(
        two_stage_at(inputs, moment, catalogue, settings),
        reranker=reranker_of(inputs, catalogue, settings),
        blend_weight=weight,
    )


def lists(context: Context, draft: Draft) -> None:
    """Make the list of every shopper."""
    catalogue = catalogue_of(context.inputs)
    shoppers = shoppers_at(context.inputs, "serve", catalogue)
    recommender = recommender_at(context, "serve", catalogue)
    length = context.settings.lists.length
    rungs: dict[str, int] = {}
    done = 0
    with pq.ParquetWriter(draft.path / LISTS, _SCHEMA) as writer:
        for part in recommender.stream(shoppers, length, explain=True):
            writer.write_table(_table(part, catalogue, shoppers.as_of))
            for rung in part.rung:
                rungs[str(rung)] = rungs.get(str(rung), 0) + 1
            done += len(part)
            context.observer.progress("lists", done, len(shoppers))
    _write_default(recommender, catalogue, length, draft.path / DEFAULT)
    draft.describe(metrics={"lists": done, "rungs": rungs})


_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_timestamp", pa.timestamp("us", tz="UTC")),
        ("item_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
        ("reasons", pa.list_(pa.string())),
        ("rung", pa.string()),
        ("why", pa.string()),
    ]
)


def _table(lists: Lists, catalogue: Catalogue, moment: Any) -> pa.Table:
    kept = [row[row != PAD] for row in lists.items]
    return pa.table(
        {
            "user_id": list(lists.user_ids),
            "event_timestamp": [moment] * len(lists),
            "item_ids": [[catalogue.item_ids[item] for item in row] for row in kept],
            "scores": [s[: len(r)].tolist() for s, r in zip(lists.scores, kept, strict=True)],
            "reasons": [r[: len(k)] for r, k in zip(lists.reasons, kept, strict=True)],
            "rung": [str(rung) for rung in lists.rung],
            "why": [str(why) for why in lists.why],
        },
        schema=_SCHEMA,
    )


def _write_default(recommender: Recommender, catalogue: Catalogue, length: int, path: Path) -> None:
    """Write the list for whoever is not known."""
    nobody = Shoppers.from_rows([{"user_id": ""}], catalogue, _epoch())
    lists = recommender.recommend(nobody, length, highest=Rung.POPULAR, explain=True)
    entries = [
        {"item_id": catalogue.item_ids[item], "score": score, "reason": reason}
        for item, score, reason in places(lists, 0)
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")


def _epoch() -> datetime:
    return datetime.fromtimestamp(0, UTC)


def places(lists: Lists, row: int) -> list[tuple[int, float, str]]:
    """The filled places of a list."""
    places = zip(lists.items[row], lists.scores[row], lists.reasons[row], strict=False)
    return [(int(item), float(score), reason) for item, score, reason in places if item != PAD]
