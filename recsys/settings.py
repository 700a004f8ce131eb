"""The one settings tree: defaults < `tailor.toml` < `TAILOR_*` environment.

Each package declares its own branch; this module composes them, refuses unknown keys with the
nearest known one, and remembers where every value came from.
"""

import dataclasses
import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from features.settings import FeaturesSettings, Part
from personalizer.config import PersonalizerConfig
from recsys.errors import SettingsError
from recsys.service.config import ServiceSettings

FILE = "tailor.toml"
# not settings: where to look for the settings, and for the state
RESERVED = {"TAILOR_CONFIG"}

Share = Annotated[float, Field(gt=0, lt=1)]


class CutSettings(Part):
    """Where history ends and the future begins: shares of purchases, latest last."""

    protocol: Literal["temporal", "leave-one-out"] = Field(
        "temporal",
        description="temporal cuts at points in time, as a shop lives; leave-one-out takes each "
        "shopper's last purchases as targets, as papers do, and serves nobody",
    )
    mode: Literal["refreshed", "train-only"] = Field(
        "refreshed",
        description="of leave-one-out: whether the purchase just before the target is counted in "
        "statistics and pairs (refreshed), or is history only (train-only)",
    )
    holdout_share: Share = Field(0.1, description="latest purchases, held out for the report")
    validate_share: Share = Field(
        0.05,
        description="purchases before those: they decide when training stops and how far the "
        "language model is trusted",
    )
    label_share: Share = Field(
        0.1, description="purchases before those, labels of the ranker, twice: in two lessons"
    )


class IndexSettings(Part):
    """The index of item vectors; what is not said here follows from the number of items."""

    kind: Literal["auto", "exact", "ivf", "hnsw"] = Field(
        "auto", description="how items are searched; auto: exact as long as that is fast enough"
    )
    exact_below: int = Field(
        1_000_000, ge=1, description="from this many items on, auto is approximate"
    )
    approximate: Literal["ivf", "hnsw"] = Field(
        "ivf",
        description="what auto turns to; hnsw answers faster, but builds slower, stays on the CPU "
        "and is not the same in every build",
    )
    min_recall: float = Field(
        0.98,
        gt=0,
        le=1,
        description="share of the 100 nearest that an approximate index must find, measured when "
        "it is built; it searches wider until it does, or is refused",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="where it is searched; auto: on a GPU where FAISS sees one"
    )


class CandidateSettings(Part):
    """Retrieval."""

    pool: int = Field(200, ge=10, description="candidates per shopper handed to the ranker")
    mask_history: bool = Field(False, description="never recommend what was bought before")


class RankerSettings(Part):
    """The LightGBM ranker."""

    rounds: int = Field(600, ge=1, description="boosting rounds at most (early stopping)")
    leaves: int = Field(31, ge=2, description="leaves per tree")
    learning_rate: float = Field(0.05, gt=0, description="shrinkage")
    feature_share: float = Field(0.6, gt=0, le=1, description="features each tree may look at")
    trials: int = Field(
        1, ge=1, description="settings tried: these, then random ones around; validation decides"
    )
    least_rows: int = Field(400, ge=1, description="candidates a leaf holds at least")
    weigh_share: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="share of the deciding shoppers who weigh the language model: they neither "
        "decide on the ranker nor teach it",
    )


class ListSettings(Part):
    """The published lists."""

    length: int = Field(10, ge=1, description="items per shopper")
    rerank: int = Field(20, ge=0, description="top items the language model reorders; 0: none")


class PreferenceSettings(Part):
    """The preference task: which of a few products did this shopper buy?"""

    laws: tuple[str, ...] = Field(
        ("next",), description="distractor laws that a release is measured by; empty: none"
    )
    methods: tuple[str, ...] = Field((), description="scorers to measure; empty: all that are fast")
    options: int = Field(4, ge=2, le=26, description="options of a question, the answer among them")
    category_level: str = Field(
        "leaf",
        pattern="^(leaf|[1-9][0-9]*)$",
        description="what a category is: leaf for the whole path, or how many of its steps count",
    )
    least_categories: int = Field(
        5, ge=1, description="categories a shopper has to have bought in, to be asked at all"
    )
    shoppers: int = Field(3000, ge=1, description="shoppers who are measured, at most")
    release_shoppers: int = Field(
        500, ge=1, description="shoppers who are measured when a release is, at most"
    )
    personalizer_minutes: float = Field(
        2.0,
        ge=0,
        description="minutes that one way of personalising may take, as far as can be told",
    )


class DecisionSettings(Part):
    """Do no harm: what it takes to decide for a slice of the shoppers by itself."""

    least_shoppers: int = Field(
        50,
        ge=2,
        description="validation shoppers a slice needs; one with fewer is served like everyone",
    )


class ReportSettings(Part):
    """The report, and what it takes to ship: said before anything is measured."""

    minimum_effect: float = Field(
        0.005,
        gt=0,
        description="difference of NDCG@10 to the live release that matters; a release that may "
        "be worse by more than this is not to be shipped",
    )
    examples: int = Field(10, ge=0, description="shoppers shown with everything; half are misses")
    hour_price: float = Field(
        0.0, ge=0, description="price of an hour of this machine, for costs; 0: seconds only"
    )
    preference: PreferenceSettings = PreferenceSettings()


class SourceSettings(Part):
    """Where the scheduled runs find raw files."""

    reviews: list[str] = Field(
        [],
        description="purchases of an interval: paths, with * and with {start:%Y-%m-%d} or "
        "{end:%Y-%m-%d} where they name it; rows of other days are passed over",
    )


class BatchSettings(Part):
    """Batch scoring."""

    shards: int = Field(
        4, ge=1, le=9_999, description="pieces in which shoppers are scored; a kill costs one"
    )


class ResultsSettings(Part):
    """The results database."""

    url: SecretStr = Field(
        SecretStr(""), description="SQLAlchemy URL; empty: SQLite at results.db in the home"
    )


class LogSettings(Part):
    """Logging."""

    level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="lowest level")
    json_lines: bool = Field(False, description="one JSON object per line, for machines")


class _Environment(PydanticBaseSettingsSource):
    """`TAILOR_A__B=value` as {a: {b: value}}; a value in brackets is JSON.

    pydantic-settings' own source does not decode lists inside dataclass branches.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Not used: `__call__` gives the whole tree at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key, name in _environment().items():
            *branches, leaf = key.split(".")
            node = tree
            for branch in branches:
                node = node.setdefault(branch, {})
            text = os.environ[name]
            node[leaf] = json.loads(text) if text.startswith("[") else text
        return tree


class Settings(BaseSettings):
    """All settings. `tailor config show` prints each with its source."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    home: Path = Field(Path(".tailor"), description="folder that holds all state")
    seed: int = Field(0, description="seeds sampling, training and tie-breaks")
    features: FeaturesSettings = FeaturesSettings()
    personalizer: PersonalizerConfig = PersonalizerConfig()
    cuts: CutSettings = CutSettings()
    index: IndexSettings = IndexSettings()
    candidates: CandidateSettings = CandidateSettings()
    ranker: RankerSettings = RankerSettings()
    lists: ListSettings = ListSettings()
    decision: DecisionSettings = DecisionSettings()
    report: ReportSettings = ReportSettings()
    sources: SourceSettings = SourceSettings()
    batch: BatchSettings = BatchSettings()
    results: ResultsSettings = ResultsSettings()
    service: ServiceSettings = ServiceSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over what the file gave (handed in as init values)."""
        return _Environment(settings_cls), init_settings


@dataclasses.dataclass(frozen=True)
class Value:
    """One setting as it stands."""

    key: str
    value: Any
    source: str
    default: Any
    description: str


def _fields(model: type[Any]) -> Iterator[tuple[str, Any, str, Any]]:
    """Yield (name, type, description, default) of a pydantic model or a dataclass."""
    if dataclasses.is_dataclass(model):
        for f in dataclasses.fields(model):
            yield f.name, f.type, f.metadata.get("description", ""), f.default
    else:
        for name, info in model.model_fields.items():
            yield name, info.annotation, info.description or "", info.default


def _is_branch(kind: Any) -> bool:
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)
    )


def known(model: type[Any] = Settings, prefix: str = "") -> dict[str, tuple[str, Any]]:
    """All setting keys, dotted, with description and default."""
    found: dict[str, tuple[str, Any]] = {}
    for name, kind, description, default in _fields(model):
        if _is_branch(kind):
            found |= known(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = (description, default)
    return found


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _refuse_unknown(keys: Mapping[str, str]) -> None:
    """`keys` maps a dotted key to how its writer spelled it and where."""
    names = list(known())
    for key, where in keys.items():
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
            raise SettingsError(
                f"unknown setting {key!r}",
                where=where,
                fix=f"did you mean {near[0]!r}? `tailor config show` lists all",
            )


def _environment() -> dict[str, str]:
    """Dotted key to variable name, for every TAILOR_* variable."""
    return {
        name.removeprefix("TAILOR_").lower().replace("__", "."): name
        for name in os.environ
        if name.startswith("TAILOR_") and name not in RESERVED
    }


def _file() -> tuple[Path, dict[str, Any]]:
    path = Path(os.environ.get("TAILOR_CONFIG", FILE))
    if not path.exists():
        if "TAILOR_CONFIG" in os.environ:
            raise SettingsError("no such file", where=str(path), fix="correct TAILOR_CONFIG")
        return path, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not valid TOML: {error}", where=str(path)) from error


def load() -> Settings:
    """Read the settings, or say which one is wrong, where, and what would be right."""
    path, tree = _file()
    _refuse_unknown({key: str(path) for key, _ in _flatten(tree)})
    environment = _environment()
    _refuse_unknown({key: f"environment variable {name}" for key, name in environment.items()})
    try:
        return Settings(**tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{key}: {first['msg']}, got {first['input']!r}",
            where=environment.get(key, str(path)),
            fix="`tailor config show` lists every setting with its meaning",
        ) from error


def show(settings: Settings) -> list[Value]:
    """Every value with its source; secrets stay masked."""
    path, tree = _file()
    in_file = dict(_flatten(tree))
    environment = _environment()
    values = []
    for key, (description, default) in known().items():
        value: Any = settings
        for part in key.split("."):
            value = getattr(value, part)
        source = environment.get(key) or (str(path) if key in in_file else "default")
        values.append(Value(key, value, source, default, description))
    return values


def dump(settings: Settings) -> dict[str, Any]:
    """Every value under its dotted key, ready for JSON; secrets stay masked."""
    return dict(_flatten(settings.model_dump(mode="json")))
