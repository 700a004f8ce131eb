"""Labels in, point-in-time rows out: what `tailor features training-set` does."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.errors import LabelError, extra

with extra("features"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pc_csv
    import pyarrow.parquet as pq

    from features.store import FeatureRepo
    from features.training import training_features

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

KEYS = ("user_id", "item_id")
MOMENT = "event_timestamp"
_UTC = pa.timestamp("us", tz="UTC")


def make(spark: "SparkSession", repo: FeatureRepo, labels: Path, out: Path) -> int:
    """Join the labels with the features as they were known at each label's moment; rows written.

    `out` becomes a folder of Parquet, whole or not at all; what was there is replaced.
    """
    table = read_labels(labels)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        asked, made = Path(folder) / "labels.parquet", Path(folder) / "made"
        pq.write_table(table, asked)
        training_features(repo, spark.read.parquet(str(asked))).write.parquet(str(made))
        rows: int = sum(pq.read_metadata(part).num_rows for part in made.glob("*.parquet"))
        if rows != len(table):
            raise LabelError(
                f"{len(table)} labels became {rows} rows", where=str(labels), fix="report this"
            )
        if out.exists():
            shutil.move(out, Path(folder) / "before")
        made.rename(out)
    return rows


def read_labels(path: Path) -> Any:
    """Read CSV or Parquet; times without a zone are UTC, further columns are kept."""
    try:
        table = _read(path)
    except (OSError, pa.ArrowException) as error:
        raise LabelError(
            f"can't be read: {error}", where=str(path), fix="give CSV with a header, or Parquet"
        ) from error
    if missing := [name for name in (*KEYS, MOMENT) if name not in table.column_names]:
        raise LabelError(
            f"no column {', '.join(missing)}",
            where=str(path),
            fix=f"labels need {', '.join(KEYS)} and {MOMENT}",
        )
    for name in (*KEYS, MOMENT):
        kind = _UTC if name == MOMENT else pa.string()
        table = table.set_column(
            table.column_names.index(name), name, _column(table[name], kind, name, path)
        )
    return table


def _read(path: Path) -> Any:
    if path.suffix == ".parquet" or path.is_dir():
        return pq.read_table(path)
    ids = pc_csv.ConvertOptions(column_types=dict.fromkeys(KEYS, pa.string()))
    return pc_csv.read_csv(path, convert_options=ids)


def _column(column: Any, kind: Any, name: str, path: Path) -> Any:
    fit = pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)
    if name == MOMENT and not fit:
        raise LabelError(
            f"{name} holds {column.type}, not times",
            where=str(path),
            fix="write times as 2024-03-01T12:00:00Z",
        )
    cast = column.cast(kind)
    if empty := cast.null_count:
        first = pc.index(pc.is_null(cast), True).as_py() + 1
        raise LabelError(
            f"{name} is empty in {empty} rows, the first is row {first}", where=str(path)
        )
    return cast
