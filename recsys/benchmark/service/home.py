"""A home to serve from: releases with and without the language model, and one more to swap to."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from recsys.artifacts import Artifact, ArtifactStore, Release, Releases
from recsys.artifacts.manifest import NAME as MANIFEST
from recsys.decision import HIGHEST, undecided
from recsys.errors import extra
from recsys.pipeline.parts import BLEND
from recsys.ranker.model import Ranker
from recsys.tables import read_table

with extra("recsys"):
    import lightgbm as lgb

WEIGHT = 0.5  # of the language model, whether it helps or not: its cost is what is measured


@dataclass(frozen=True)
class Variants:
    """The releases of a measured home."""

    releases: Releases
    without: Release
    with_lm: Release
    other: Release  # with the language model, and another ranker
    users: list[str]
    items: list[str]

    @property
    def keys(self) -> dict[str, str]:
        """Lineage key by release: what an answer must not mix."""
        return {one.id: one.key for one in (self.without, self.with_lm, self.other)}


def variants(home: Path) -> Variants:
    """Make the releases, out of the live one."""
    store = ArtifactStore(home)
    releases = Releases(store)
    live, artifacts = releases.open(str(releases.live()))
    weights = {
        weight: _remade(store, artifacts["blend"], f"weight-{weight}", _weigh(weight))
        for weight in (0.0, WEIGHT)
    }
    everyone = _remade(store, artifacts["decision"], "everyone", _free(artifacts["decision"].path))
    half = _remade(store, artifacts["ranker"], "half", _halve(artifacts["ranker"].path))

    def release(**changed: str) -> Release:
        drawn = releases.draft(live.lineage | changed, data_cut=live.data_cut, headline={})
        releases.write(drawn)
        return drawn

    lists = read_table(artifacts["lists"].path / "lists.parquet", ["user_id"])
    items = read_table(artifacts["embeddings"].path / "item_ids.parquet", ["item_id"])
    return Variants(
        releases,
        release(blend=weights[0.0]),
        release(blend=weights[WEIGHT], decision=everyone),
        release(blend=weights[WEIGHT], decision=everyone, ranker=half),
        lists["user_id"].to_pylist(),
        items["item_id"].to_pylist(),
    )


def copied(home: Path, folder: Path) -> Path:
    """A home to write into, so that the one that is given stays as it is."""
    out = folder / "home"
    shutil.copytree(home, out, symlinks=True)
    return out


def _remade(
    store: ArtifactStore, artifact: Artifact, name: str, fill: Callable[[Path], None]
) -> str:
    """Another version of an artifact, with other contents."""
    version = f"{artifact.version[:8]}-{name}"
    manifest = replace(artifact.manifest, version=version, files={})
    with store.create(manifest) as draft:
        fill(draft.path)
    store.point(artifact.kind, artifact.version)  # what was built last stays so
    return version


def _weigh(weight: float) -> Callable[[Path], None]:
    document = json.dumps({"weight": weight, "why": "to measure", "ndcg": {}})

    def fill(folder: Path) -> None:
        (folder / BLEND).write_text(document, encoding="utf-8")

    return fill


def _free(folder: Path) -> Callable[[Path], None]:
    """A decision that keeps the language model from nobody."""

    def fill(out: Path) -> None:
        shutil.copytree(folder, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
        undecided(HIGHEST, "to measure").write(out)

    return fill


def _halve(folder: Path) -> Callable[[Path], None]:
    whole = Ranker.load(folder)
    trees = max(1, whole.booster.num_trees() // 2)
    booster = lgb.Booster(model_str=whole.booster.model_to_string(num_iteration=trees))
    return Ranker(booster, whole.names, whole.metrics).save
