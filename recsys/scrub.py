"""Take a shopper out of finished artifacts: new files beside the old ones, exchanged in one step.

An artifact stays what it was made of; only her rows leave, and the digests of the files they were
in change with them. A reader that has a file open goes on reading it.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from recsys.artifacts import ArtifactStore, Manifest
from recsys.artifacts.files import exchange
from recsys.artifacts.manifest import NAME, digest_files
from recsys.errors import extra
from recsys.results.erasures import digest_of

with extra("recsys"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

__all__ = ["all_versions", "leave_out", "scrub_artifact", "scrub_files", "with_user"]

USER = "user_id"
_SPARK_CHECKSUM = ".{}.crc"
_REPORT = "report.json"


def with_user(folder: Path, user_id: str) -> dict[Path, int]:
    """Parquet files below a folder that tell of a shopper, and how many rows each."""
    found = {}
    for path in sorted(folder.rglob("*.parquet")):
        schema = pq.read_schema(path)
        if USER in schema.names:
            rows = pq.ParquetFile(path).read(columns=[USER])[USER]
            count = int(pc.sum(pc.equal(rows, user_id)).as_py() or 0)
        elif "raw" in schema.names:  # the quarantine keeps rows as they came
            rows = pq.ParquetFile(path).read(columns=["raw"])["raw"]
            count = int(pc.sum(pc.match_substring(rows, user_id)).as_py() or 0)
        else:
            continue
        if count:
            found[path] = count
    return found


def scrub_files(folder: Path, user_id: str) -> int:
    """Rewrite the Parquet files of a folder without a shopper; returns how many rows went."""
    found = with_user(folder, user_id)
    for path in found:
        _rewrite(path, user_id)
    return sum(found.values())


def scrub_artifact(store: ArtifactStore, kind: str, version: str, user_id: str) -> int:
    """Take a shopper out of one version of a kind; returns how many rows or examples went."""
    folder = store.folder(kind, version)
    aside = folder.with_name(f".{version}.scrubbed")
    shutil.rmtree(aside, ignore_errors=True)  # of a call that was killed
    rows, told = with_user(folder, user_id), _told_of(folder, user_id)
    if not rows and not told:
        return 0
    shutil.copytree(folder, aside, copy_function=os.link)
    for path in rows:
        _rewrite(aside / path.relative_to(folder), user_id)
    if told:
        _rewrite_report(aside, user_id)
    manifest = Manifest.read(aside)
    replace(manifest, files=digest_files(aside)).write(aside)
    exchange(aside, folder)
    shutil.rmtree(aside)
    return sum(rows.values()) + told


def leave_out(folder: Path, digests: Collection[str]) -> int:
    """Take those who were erased before out of files that were just made; returns how many rows."""
    users = {
        user
        for path in folder.rglob("*.parquet")
        if USER in pq.read_schema(path).names
        for user in pc.unique(pq.ParquetFile(path).read(columns=[USER])[USER]).to_pylist()
        if digests and digest_of(user) in digests
    }
    return sum(scrub_files(folder, user) for user in sorted(users))


def _rewrite(path: Path, user_id: str) -> None:
    """Put a file without her in the place of one; batch by batch, so in bounded memory."""
    aside = path.with_name(f".{path.name}.scrubbed")
    source = pq.ParquetFile(path)
    with pq.ParquetWriter(aside, source.schema_arrow) as writer:
        for batch in source.iter_batches():
            writer.write_batch(batch.filter(_others(batch, user_id)))
    aside.replace(path)
    path.with_name(_SPARK_CHECKSUM.format(path.name)).unlink(missing_ok=True)


def _others(batch: "pa.RecordBatch", user_id: str) -> "pa.Array":
    if USER in batch.schema.names:
        return pc.fill_null(pc.not_equal(batch.column(USER), user_id), True)
    return pc.invert(pc.match_substring(batch.column("raw"), user_id))


def _told_of(folder: Path, user_id: str) -> int:
    """How many examples of a report are hers."""
    path = folder / _REPORT
    if not path.exists():
        return 0
    examples = json.loads(path.read_text(encoding="utf-8"))["examples"]
    return sum(one["user_id"] == user_id for one in examples)


def _rewrite_report(folder: Path, user_id: str) -> None:
    """Build the report's page and its JSON anew, without the example."""
    from recsys.report.build import build

    told = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    others = [one for one in told["examples"] if one["user_id"] != user_id]
    for linked in (folder / _REPORT, folder / "report.html"):
        linked.unlink()
    build(told["evaluation"], told["run"], others, folder)


def all_versions(store: ArtifactStore) -> Iterator[tuple[str, str]]:
    """Every finished artifact of a home, by kind and version."""
    bases = [store.home / "artifacts", store.home]
    kinds = {
        path.name
        for base in bases
        if base.is_dir()
        for path in base.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    }
    for kind in sorted(kinds):
        for version in store.versions(kind):
            if (store.folder(kind, version) / NAME).exists():
                yield kind, version
