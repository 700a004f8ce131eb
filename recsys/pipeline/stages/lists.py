"""The lists: one for every shopper, and one for whoever has none."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from recsys.arrays import PAD
from recsys.artifacts.store import Draft
from recsys.catalogue import Catalogue
from recsys.ladder import Rung
from recsys.listing import DEFAULT, LISTS
from recsys.lists import Lists
from recsys.pipeline.batch.shards import complete, gather, score_shard, work_folder
from recsys.pipeline.parts import blend_weight, catalogue_of, decided_at, tastes_of, two_stage_at
from recsys.pipeline.stage import Context
from recsys.pipeline.stages.models import reranker_of
from recsys.recommend import Recommender
from recsys.shoppers import Shoppers


def recommender_at(context: Context, moment: str, catalogue: Catalogue) -> Recommender:
    """All parts as they were at a moment; the models are always those that were trained."""
    inputs, settings = context.inputs, context.settings
    return replace(
        two_stage_at(inputs, moment, catalogue, settings),
        reranker=reranker_of(inputs, catalogue, settings),
        tastes=tastes_of(inputs, catalogue, settings),
        blend_weight=blend_weight(inputs),
        **decided_at(inputs, moment),
    )


def lists(context: Context, draft: Draft) -> None:
    """Make the list of every shopper: of shards that were scored before, and of those missing."""
    catalogue = catalogue_of(context.inputs)
    recommender = recommender_at(context, "serve", catalogue)
    folder = work_folder(context.store.home, draft.manifest.version)
    shards = complete(folder)
    if not shards:
        shards = context.settings.batch.shards
        for shard in range(shards):
            score_shard(context, recommender, catalogue, folder, (shard, shards))
    told = gather(folder, shards, draft.path / LISTS)
    _write_default(recommender, catalogue, context.settings.lists.length, draft.path / DEFAULT)
    draft.describe(metrics=told)


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
