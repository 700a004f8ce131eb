"""A stage: what it reads, what it depends on, and the function that makes its artifact."""

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from recsys.artifacts import Artifact, ArtifactStore
from recsys.artifacts.files import sha256_of
from recsys.artifacts.store import Draft
from recsys.errors import StageError
from recsys.pipeline.observer import Observer
from recsys.settings import Settings, dump

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")


@dataclass(frozen=True)
class RawFiles:
    """The files a run starts from."""

    reviews: tuple[Path, ...]
    items: tuple[Path, ...]
    format: str = "auto"

    def digests(self) -> dict[str, Any]:
        """What the files hold, whatever they are called."""
        return {
            "reviews": [_digest_or_missing(path) for path in self.reviews],
            "items": [_digest_or_missing(path) for path in self.items],
            "format": self.format,
        }


def _digest_or_missing(path: Path) -> str:
    # a missing file or a folder is told by the ingest itself, with what to do
    return sha256_of(path) if path.is_file() else "missing"


@dataclass
class Context:
    """What a stage works with."""

    settings: Settings
    store: ArtifactStore
    observer: Observer
    raw: RawFiles | None = None
    inputs: dict[str, Artifact] = field(default_factory=dict)
    _started_spark: bool = False

    @property
    def spark(self) -> "SparkSession":
        """The Spark session, started when the first stage asks for it."""
        from features.spark import alive, session

        self._started_spark |= not alive()
        return session(self.settings.features.spark)

    def a_day(self, work: "Callable[[SparkSession], T]", reviews: Sequence[Path] = ()) -> "T":
        """Do what is little enough to be done without Java, if it can be."""
        from features.spark import a_day, alive

        self._started_spark |= not alive()
        tables = [made.path for made in self.inputs.values()]
        return a_day(self.settings.features.spark, work, reviews=reviews, tables=tables)

    def release_spark(self) -> None:
        """End the session, if it was started here: its Java holds gigabytes."""
        if self._started_spark:
            from features.spark import stop

            stop()
            self._started_spark = False

    def path(self, kind: str) -> Path:
        """The folder of an input."""
        return self.inputs[kind].path

    def progress(self, stage: str) -> Callable[[int, int], None]:
        """A progress callback for one stage."""
        return lambda done, total: self.observer.progress(stage, done, total)


@dataclass(frozen=True)
class Stage:
    """One step of the way, and the kind of artifact it makes."""

    name: str
    kind: str
    # "module:function", loaded when it runs: a stage needs only the extras of its own part
    make: str
    inputs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    spark: bool = False  # whether it works with Spark
    # for a stage that also changes something outside its folder: is that still as it left it?
    holds: str = ""
    # for a stage that may leave work over: a number that changes when it did
    turn: str = ""

    @property
    def module(self) -> str:
        """The module its function is in."""
        return self.make.partition(":")[0]

    def run(self, context: Context, draft: Draft) -> None:
        """Fill the draft."""
        make: Callable[[Context, Draft], None] = resolve(self.make)
        make(context, draft)

    def still_holds(self, context: Context, artifact: Artifact) -> bool:
        """Whether what the stage changed outside its folder is as it left it."""
        check: Callable[[Context, Artifact], bool] | None = resolve(self.holds)
        return check is None or check(context, artifact)

    def parameters(self, context: Context) -> dict[str, Any]:
        """The settings this stage depends on, and for the first stage the raw files."""
        values = dump(context.settings)
        chosen = {
            key: value
            for key, value in values.items()
            if any(key == branch or key.startswith(branch + ".") for branch in self.settings)
        }
        if not self.inputs and context.raw is not None:
            chosen["raw"] = context.raw.digests()
        return chosen

    def version(self, context: Context) -> str:
        """The version this stage would make now: same code, parameters and inputs, same version."""
        missing = [kind for kind in self.inputs if kind not in context.inputs]
        if missing:
            raise StageError(
                f"stage {self.name!r} needs {missing[0]!r}, which was never made",
                where=str(context.store.home),
                fix="run `tailor run` without --from",
            )
        recipe: dict[str, Any] = {
            "stage": self.name,
            "code": code_digest(*self.code, self.module),
            "parameters": self.parameters(context),
            "inputs": {kind: context.inputs[kind].version for kind in self.inputs},
        }
        if turn := resolve(self.turn):
            recipe["turn"] = turn(context)
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def resolve(path: str) -> Any:
    """Load "module:function"; nothing for nothing."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name) if path else None


@cache
def code_digest(*modules: str) -> str:
    """Digest of the sources of packages and modules: other code, other artifact."""
    digest = hashlib.sha256()
    for name in modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise StageError(f"no module {name!r}", where="code of a stage")
        origin = Path(spec.origin)
        for source in _sources(origin.parent) if origin.name == "__init__.py" else [origin]:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _sources(package: Path) -> list[Path]:
    """Everything a package ships: code, and the templates and settings beside it."""
    files = (path for path in package.rglob("*") if path.is_file())
    return sorted(path for path in files if "__pycache__" not in path.parts)
