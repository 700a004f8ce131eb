"""A task as files: the questions, what was told of each shopper, and a manifest."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recsys.arrays import Bools
from recsys.artifacts.manifest import digest_files
from recsys.catalogue import Catalogue
from recsys.errors import extra
from recsys.evaluation.preference.probes import probe
from recsys.evaluation.preference.task import Asked, Task
from recsys.settings import Settings

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.parquet as pq

QUESTIONS, MANIFEST = "questions.parquet", "manifest.json"


@dataclass(frozen=True)
class Saved:
    """A task that was written."""

    folder: Path
    manifest: dict[str, Any]


def save(task: Task, settings: Settings, versions: dict[str, str], out: Path) -> Saved:
    """Write the questions that are measured and those that teach, and what they came from."""
    out.mkdir(parents=True, exist_ok=True)
    parts = [_table(task.test, measured=True), _table(task.validation, measured=False)]
    pq.write_table(pa.concat_tables(parts), out / QUESTIONS)
    chosen = settings.report.preference
    manifest = {
        "law": task.law.name,
        "told": task.law.told,
        "category_level": task.level,
        "seed": settings.seed,
        "options": chosen.options,
        "least_categories": chosen.least_categories,
        "n": {"test": len(task.test), "validation": len(task.validation)},
        "dropped": task.dropped,
        "positions": task.test.questions.positions,
        "probes": probe(task.test.view, task.test.questions),
        "inputs": versions,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (out / MANIFEST).unlink(missing_ok=True)
    manifest["files"] = {
        name: digest for name, digest in digest_files(out).items() if name == QUESTIONS
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return Saved(out, manifest)


def _table(asked: Asked, *, measured: bool) -> Any:
    catalogue = asked.view.catalogue
    test: Bools = np.full(len(asked), measured)
    return asked.questions.table(catalogue, test).append_column(
        "context_ids", pa.array(_contexts(asked, catalogue), pa.list_(pa.string()))
    )


def _contexts(asked: Asked, catalogue: Catalogue) -> list[list[str]]:
    """What is told of each shopper, oldest first."""
    shoppers = asked.view.shoppers
    return [
        [catalogue.item_ids[item] for item in shoppers.history(row)] for row in range(len(asked))
    ]
