"""What the service is asked and what it answers; every list and text has a limit."""

from datetime import datetime
from typing import Annotated, Any

from recsys.errors import extra

with extra("serve"):
    from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MOST_ITEMS, MOST_USERS, MOST_LISTED, MOST_OPTIONS = 200, 100, 200, 26

# no control characters: an id goes into headers of stores, into logs and into pages
Id = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
Category = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Length = Annotated[int, Field(ge=1, le=MOST_LISTED)]
Items = Annotated[list[Id], Field(max_length=MOST_ITEMS)]


class Asked(BaseModel):
    """A body that may hold nothing unknown."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class BatchAsked(Asked):
    """Lists for several shoppers at once."""

    users: Annotated[list[Id], Field(min_length=1, max_length=MOST_USERS)]
    k: Length = 10
    exclude: Items = []
    category: Category | None = None
    in_stock: bool = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"users": ["u00001"], "k": 5}]})


class RerankAsked(Asked):
    """A caller's own candidates, to be ordered for a shopper."""

    user: Id
    items: Annotated[list[Id], Field(min_length=1, max_length=MOST_ITEMS)]
    explain: bool = False


class PreferenceAsked(Asked):
    """Options, of which the shopper will choose one."""

    user: Id
    options: Annotated[list[Id], Field(min_length=2, max_length=MOST_OPTIONS)]
    least_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0


class EventAsked(Asked):
    """A purchase made now."""

    event_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
    user: Id
    item: Id
    event_timestamp: AwareDatetime


class Listed(BaseModel):
    """A place of a list."""

    rank: int
    item_id: str
    title: str
    score: float
    reason: str | None = None
    ranks: dict[str, int] | None = None


class Sourced(BaseModel):
    """What every answer carries: the release that made it."""

    release: str
    lineage_key: str


class Explanation(BaseModel):
    """Why a list is as it is."""

    features: dict[str, dict[str, Any]]
    failures: list[str]


class ListTold(Sourced):
    """A shopper's list, the rung of the ladder that made it, and why no higher one did."""

    user: str
    rung: str
    why: str
    source: str
    items: list[Listed]
    unknown_items: list[str] | None = None
    explanation: Explanation | None = None


class BatchTold(Sourced):
    """Lists, in the order of the shoppers asked for, all of one release."""

    results: list[ListTold]


class SimilarTold(Sourced):
    """Items near an item."""

    item: str
    by: str
    items: list[Listed]


class Option(BaseModel):
    """An option and how likely she is to choose it."""

    item_id: str
    title: str
    probability: float


class PreferenceTold(Sourced):
    """How likely she is to choose each option; none is chosen where that tells too little."""

    user: str
    rung: str
    why: str
    options: list[Option]
    choice: str | None
    confidence: float
    abstained: bool
    calibrated: bool


class FeatureView(BaseModel):
    """A view of a shopper, and how old it is."""

    outcome: str
    event_timestamp: datetime | None
    age_days: float | None
    reason: str
    values: dict[str, Any]


class FeaturesTold(Sourced):
    """All that the online store knows of a shopper."""

    user: str
    found: str
    now: datetime
    views: dict[str, FeatureView]


class ProfileTold(Sourced):
    """What was written about a shopper from her history."""

    user: str
    outcome: str
    event_timestamp: datetime | None
    profile: str | None
    guidance: str | None
    style: str | None
    generator: str | None
    level: str | None


class EventTold(BaseModel):
    """What became of a purchase; `pending` ones are kept, and pushed as soon as possible."""

    event_id: str
    outcome: str


class ReceiptTold(BaseModel):
    """What was erased, by place; `waiting` where a run at work in the home has to end first."""

    status: str
    user_digest: str
    erased_at: str | None = None
    removed: dict[str, int] = {}
    left: list[str] = []


class ErrorBody(BaseModel):
    """What went wrong, and what to do about it."""

    type: str
    code: str
    message: str
    fix: str


class ErrorTold(BaseModel):
    """The one shape of an error."""

    error: ErrorBody
