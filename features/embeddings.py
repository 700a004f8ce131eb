"""The embeddings of items and of shoppers, as files and as feature views.

Needs numpy and pyarrow only: the encoder is handed in as a callable from texts to vectors.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from features.decay import Floats, normalised, prefix_vectors, user_vectors
from features.errors import QualityError, VersionMismatchError, extra

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

__all__ = [
    "catalogue_order", "embed_items", "embed_users", "item_text", "prefix_vectors", "user_vectors",
    "write_user_embeddings",
]  # fmt: skip

Encode = Callable[[Sequence[str]], Floats]
Progress = Callable[[int, int], None]

TEXTS_PER_CALL = 1_024


def catalogue_order(item_ids: Sequence[str], seed: int) -> list[str]:
    """Order items by a seeded hash, so that an index carries no information."""
    return sorted(item_ids, key=lambda item: hashlib.sha256(f"{seed}:{item}".encode()).digest())


def item_text(title: str, categories: Sequence[str]) -> str:
    """Tell an item in words: its title and its narrowest category."""
    return ". ".join(part for part in (title.strip(), *categories[-1:]) if part)


def embed_items(
    items: pa.Table,
    encode: Encode,
    encoder: str,
    *,
    seed: int,
    as_of: datetime,
    out: Path,
    progress: Progress | None = None,
) -> Floats:
    """Embed the catalogue, in catalogue order, and write vectors, ids, version and the view.

    An item without any text gets the zero vector: it is like nothing, not like all its kind.
    """
    order = catalogue_order(items["item_id"].to_pylist(), seed)
    rows = items.take(pc.index_in(pa.array(order), items["item_id"].combine_chunks()))
    about = zip(rows["title"].to_pylist(), rows["categories"].to_pylist(), strict=True)
    texts = [item_text(title or "", categories or []) for title, categories in about]
    vectors = normalised(np.concatenate(list(_encoded(texts, encode, progress))))
    vectors[[not text for text in texts]] = 0
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "items.npy", vectors)
    pq.write_table(pa.table({"item_id": order}), out / "item_ids.parquet")
    version = {"encoder": encoder, "dim": int(vectors.shape[1])}
    (out / "encoder.json").write_text(json.dumps(version) + "\n", encoding="utf-8")
    _write_view(out / "item_embedding", {"item_id": pa.array(order)}, vectors, encoder, as_of)
    return vectors


def write_user_embeddings(
    user_history: pa.Table,
    embeddings: Path,
    *,
    half_life: float,
    as_of: datetime,
    out: Path,
) -> Floats:
    """Write the view `user_embedding` of a moment into `out`, from the histories at that moment.

    `embeddings` is the folder that `embed_items` wrote.
    """
    order = pq.read_table(embeddings / "item_ids.parquet")["item_id"]
    vectors = np.load(embeddings / "items.npy", mmap_mode="r")
    version = json.loads((embeddings / "encoder.json").read_text(encoding="utf-8"))
    if len(order) != len(vectors) or version["dim"] != vectors.shape[1]:
        raise VersionMismatchError(
            f"{len(order)} ids of {version['dim']} dimensions, but vectors {vectors.shape}",
            where=str(embeddings),
            fix="embed the items again",
        )
    return embed_users(
        user_history, order, vectors, version["encoder"], half_life=half_life, as_of=as_of, out=out
    )


def embed_users(
    user_history: pa.Table,
    order: pa.ChunkedArray,
    vectors: Floats,
    version: str,
    *,
    half_life: float,
    as_of: datetime,
    out: Path,
) -> Floats:
    """Write a view of shoppers' embeddings from their histories and the items' vectors, by `order`.

    `features.push` makes the same of one history.
    """
    histories = user_history["item_ids"].combine_chunks()
    times = user_history["item_times"].combine_chunks()
    indptr = np.asarray(histories.offsets) - histories.offsets[0].as_py()
    items = pc.fill_null(pc.index_in(histories.flatten(), order.combine_chunks()), -1)
    users = user_vectors(
        indptr, items.to_numpy(), times.flatten().to_numpy(), vectors, half_life
    )  # fmt: skip
    _write_view(out, {"user_id": user_history["user_id"]}, users, version, as_of)
    return users


def _encoded(texts: Sequence[str], encode: Encode, progress: Progress | None) -> Iterator[Floats]:
    """Encode in portions, and check what comes back."""
    for first in range(0, len(texts), TEXTS_PER_CALL):
        portion = texts[first : first + TEXTS_PER_CALL]
        vectors = np.asarray(encode(portion), dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(portion) or not np.isfinite(vectors).all():
            raise QualityError(
                f"the encoder gave {vectors.shape} for {len(portion)} texts, or values not finite",
                where="item embeddings",
                fix="it must give one finite vector per text",
            )
        yield vectors
        if progress:
            progress(first + len(portion), len(texts))


def _write_view(
    folder: Path, keys: dict[str, pa.Array], vectors: Floats, encoder: str, as_of: datetime
) -> None:
    """Write an embedding view: one Parquet file in its folder."""
    count, dim = vectors.shape
    moment = pa.array([as_of] * count, pa.timestamp("us", tz="UTC"))
    flat = pa.array(np.ascontiguousarray(vectors).ravel(), pa.float32())
    columns = {
        "event_timestamp": moment,
        "created_timestamp": moment,
        "embedding": pa.ListArray.from_arrays(
            pa.array(np.arange(count + 1, dtype=np.int32) * np.int32(dim)), flat
        ),
        "encoder": pa.array([encoder] * count, pa.string()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(keys | columns), folder / "part-0.parquet")
