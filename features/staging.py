"""Raw lines to judged rows: read once, kept aside, numbered only where a number is needed.

Spark splits a big file into blocks and reads them side by side, so no row knows its line. Each row
carries its file, its block's offset in the file and a number that grows within the block. That
orders rows as they stand in the file; with the rows counted per block it also gives lines.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import RawDataError, extra
from features.formats import RawFormat, Table, judge
from features.formats.simple import blank, lines_of
from features.preflight import RawFile
from features.sail import runs

with extra("features"):
    from pyspark.sql import DataFrame, Row, SparkSession
    from pyspark.sql import functions as F

FILE_ORDER = ("file", "block", "at")
_GOOD = ""


@dataclass(frozen=True)
class Source:
    """A raw file and how to read it."""

    file: RawFile
    format: RawFormat

    @property
    def header(self) -> str | None:
        """The line that names the columns, where the format has one."""
        return self.file.head[0] if self.format.header else None


@dataclass(frozen=True)
class Staged:
    """The judged rows of one table, and what was counted while they were read."""

    table: Table
    sources: Sequence[Source]
    frame: DataFrame
    blocks: Mapping[tuple[int, int], int]  # (file, block): `at` of what would be line 0
    refused: Mapping[str, int]
    good: int

    @property
    def rows(self) -> int:
        """Rows read, without headers and blank lines."""
        return self.good + sum(self.refused.values())

    @property
    def share(self) -> float:
        """The share of refused rows."""
        return sum(self.refused.values()) / self.rows if self.rows else 0.0


@contextmanager
def staged(
    spark: SparkSession, sources: Sequence[Source], table: Table, now: datetime
) -> Iterator[Staged]:
    """Read and judge the files of one table; the rows are kept until the block is left."""
    with TemporaryDirectory(prefix="tailor-raw-") as folder:
        frame = _judged(spark, sources, table, Path(folder), now).persist()
        try:
            yield _counted(frame, sources, table)
        finally:
            frame.unpersist()


def quarantine(spark: SparkSession, stage: Staged) -> DataFrame:
    """Give the refused rows of a table their file and line."""
    starts = [(file, block, start) for (file, block), start in stage.blocks.items()]
    names = [(i, str(source.file.path)) for i, source in enumerate(stage.sources)]
    offsets = spark.createDataFrame(starts, "file int, block long, start long")
    paths = spark.createDataFrame(names, "file int, path string")
    line = F.col("at") - F.col("start")
    own_header = (F.col("reason") == judge.REPEATED_HEADER) & (line == 1)
    return (
        stage.frame.where(F.col("reason").isNotNull() & (F.col("reason") != judge.BLANK))
        .join(F.broadcast(offsets), ["file", "block"])
        .join(F.broadcast(paths), "file")
        .where(~own_header)
        .select(
            F.lit(str(stage.table)).alias("table"),
            F.col("path").alias("file"),
            line.alias("line"),
            "reason",
            "raw",
        )
    )


def _judged(
    spark: SparkSession, sources: Sequence[Source], table: Table, folder: Path, now: datetime
) -> DataFrame:
    """Read files of one format and header together, each format in its own way."""
    parts = []
    numbered = sorted(enumerate(sources), key=lambda pair: _layout(pair[1]))
    for (_, header), group in groupby(numbered, key=lambda pair: _layout(pair[1])):
        members = list(group)
        layout = members[0][1].format
        if runs(spark):
            lines = _simple_lines(spark, members, header)
        else:
            lines = _lines(spark, [_link(folder, i, source.file) for i, source in members], header)
        if table is Table.PURCHASES:
            parts.append(judge.purchases(layout.purchases(lines, header), now))
        else:
            parts.append(judge.items(layout.items(lines, header)))
    return reduce(DataFrame.unionByName, parts)


def _layout(source: Source) -> tuple[str, str]:
    return source.format.name, source.header or ""


def _link(folder: Path, index: int, file: RawFile) -> str:
    """Give a file a name that Spark can't mistake: it picks the codec by it, and skips some."""
    link = folder / f"{index}.{'gz' if file.gzip else 'txt'}"
    link.symlink_to(file.path.resolve())
    return str(link)


def _lines(spark: SparkSession, paths: list[str], header: str) -> DataFrame:
    # only \n ends a line: by default Spark also breaks at a lone \r
    lines = spark.read.option("lineSep", "\n").text(paths)
    return lines.select(
        F.regexp_replace("value", "^\ufeff|\r+$", "").alias("value"),
        F.regexp_extract("_metadata.file_name", r"^\d+", 0).cast("int").alias("file"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("at"),
    ).withColumn("heading", F.lit(header != "") & (F.col("value") == header))


def _simple_lines(
    spark: SparkSession, members: Sequence[tuple[int, Source]], header: str
) -> DataFrame:
    """Read lines in Python, for an engine that can't read them as Spark does."""
    layout = members[0][1].format
    fields = layout.fields(header)
    rows = []
    for index, source in members:
        for at, line in enumerate(lines_of(source.file)):
            heading = bool(header) and line == header
            told = None if heading or blank(line) else layout.simple(line, header)
            if told is None and not (heading or blank(line)):
                raise RawDataError(
                    "a line that Spark alone can read", where=f"{source.file.path}:{at + 1}",
                    fix="set features.spark.day to master",
                )  # fmt: skip
            texts = None if told is None else {name: told.get(name) for name in fields}
            rows.append((line, index, 0, at, heading, texts))
    row = ", ".join(f"`{name}`: string" for name in fields)
    return spark.createDataFrame(
        rows,
        f"value string, file int, block long, at long, heading boolean, row struct<{row}>",
    )


def _counted(frame: DataFrame, sources: Sequence[Source], table: Table) -> Staged:
    """Count rows by block and reason: the one job that reads the raw files."""
    groups = (
        frame.groupBy("file", "block", "reason")
        .agg(F.count("*").alias("rows"), F.min("at").alias("first"))
        .collect()
    )
    refused = Counter[str]()
    for group in groups:
        refused[group["reason"] or _GOOD] += group["rows"]
    refused[judge.REPEATED_HEADER] -= sum(source.header is not None for source in sources)
    good = refused.pop(_GOOD, 0)
    refused.pop(judge.BLANK, None)
    return Staged(table, sources, frame, _starts(groups), dict(+refused), good)


def _starts(groups: Sequence[Row]) -> dict[tuple[int, int], int]:
    """Find the value of `at` that line 0 of the file would have, as seen from each block."""
    firsts: dict[tuple[int, int], int] = {}
    rows = Counter[tuple[int, int]]()
    for group in groups:
        key = (group["file"], group["block"])
        firsts[key] = min(group["first"], firsts.get(key, group["first"]))
        rows[key] += group["rows"]
    starts, above = {}, Counter[int]()
    for file, block in sorted(firsts):
        starts[file, block] = firsts[file, block] - above[file] - 1
        above[file] += rows[file, block]
    return starts
