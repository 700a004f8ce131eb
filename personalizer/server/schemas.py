"""What the server is asked and what it answers; every list and text has a limit."""

from typing import Annotated, Literal, Self

from personalizer.errors import extra

with extra("serve"):
    from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = [
    "AdaptersAsked",
    "AdaptersTold",
    "ChatAsked",
    "CompletionAsked",
    "ScoreAsked",
    "ScoreTold",
    "ShopperAsked",
]

SHOPPERS, CANDIDATES, LABELLED, LONG = 256, 256, 26, 20_000
Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Title = Annotated[str, StringConstraints(max_length=2_000)]
Prose = Annotated[str, StringConstraints(max_length=LONG)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ShopperAsked(_Asked):
    """A shopper: by id, by embedding, or by the text of her profile."""

    id: Id | None = None
    embedding: Annotated[list[float], Field(min_length=1, max_length=16_384)] | None = None
    profile: Annotated[str, StringConstraints(min_length=1, max_length=LONG)] | None = None

    @model_validator(mode="after")
    def _known_somehow(self) -> Self:
        if self.embedding is not None and self.profile is not None:
            raise ValueError("give an embedding or a profile, not both")
        if self.id is None and self.embedding is None and self.profile is None:
            raise ValueError("give an id, an embedding or a profile")
        return self


class Question(ShopperAsked):
    """What to score for one shopper."""

    prompt: Prose = ""
    candidates: Annotated[list[Title], Field(min_length=1, max_length=CANDIDATES)] | None = None
    options: Annotated[list[Title], Field(min_length=2, max_length=LABELLED)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.candidates is None) == (self.options is None):
            raise ValueError("give candidates (scored by text) or options (by label)")
        return self


class _Timed(_Asked):
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None


class ScoreAsked(_Timed):
    """Score for shoppers."""

    shoppers: Annotated[list[Question], Field(min_length=1, max_length=SHOPPERS)]


class Scored(BaseModel):
    """One shopper's scores, in the order of what was asked."""

    scores: list[float]
    best: int | None  # none where the model would be too unsure
    confidence: float


class ScoreTold(BaseModel):
    """All shoppers' scores, and what they came from."""

    results: list[Scored]
    model: str
    hypernet: str


class AdaptersAsked(_Timed):
    """Make adapters and keep them at hand."""

    shoppers: Annotated[list[ShopperAsked], Field(min_length=1, max_length=SHOPPERS)]


class Adapter(BaseModel):
    """One adapter."""

    name: str
    version: str
    parameters: int
    folder: str | None


class AdaptersTold(BaseModel):
    """All adapters."""

    adapters: list[Adapter]
    model: str
    hypernet: str


class Message(_Asked):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Prose


class _Completing(BaseModel):
    """What both ways of generating take; other fields of the OpenAI API are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    user: Id | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1024)] = 64
    temperature: float = 0.0
    n: int = 1
    stream: bool = False
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None

    @model_validator(mode="after")
    def _as_we_can(self) -> Self:
        if self.stream:
            raise ValueError("streams are not supported: leave out `stream`")
        if self.temperature != 0 or self.n != 1:
            raise ValueError("answers are greedy: leave out `temperature` and `n`")
        return self


class ChatAsked(_Completing):
    """Answer a conversation."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=100)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=1024)] | None = None


class CompletionAsked(_Completing):
    """Go on with a text."""

    prompt: Prose
