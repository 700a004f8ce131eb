"""What every generator is: requests in, as many answers out, in their order."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from personalizer.profiles.history import History
from personalizer.profiles.labels import Labeller
from personalizer.profiles.prompts import text_of
from personalizer.profiles.tasks import Style

__all__ = ["Answer", "Generator", "Request", "Stage"]

Stage = Literal["digest", "profile"]


@dataclass(frozen=True)
class Request:
    """One question. A model reads the prompt; the template reads the history."""

    stage: Stage
    prompt: str
    history: History = field(default_factory=lambda: History(""))
    task: str = "purchase"
    style: Style = "guided"
    max_new_tokens: int = 100

    @property
    def messages(self) -> list[dict[str, str]]:
        """As a chat."""
        return [
            {"role": "system", "content": text_of("system.v1")},
            {"role": "user", "content": self.prompt},
        ]


@dataclass(frozen=True)
class Answer:
    """One answer; `error` says why there is none."""

    text: str = ""
    truncated: bool = False
    error: str = ""
    tokens: int = 0  # read and written
    calls: int = 0  # asked over the wire or of the model; 0 for what was remembered


class Generator(ABC):
    """A writer of profiles.

    A request that fails gives an answer with its error; only what makes every request fail is
    raised.
    """

    # whether answers may be kept unjudged: the template's own sentences are
    trusted: bool = False
    # how many calls one request may cost
    tries: int = 1

    @property
    @abstractmethod
    def version(self) -> str:
        """Name and model: other version, other profiles."""

    @abstractmethod
    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer each request, in order."""

    def kind_of(self) -> Labeller | None:
        """The labels it works with, where it has any."""
        return None

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of connections."""
