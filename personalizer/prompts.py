"""What a model is told of a shopper: her summary, her purchases, what is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from personalizer.retrieval import Retriever, bm25

__all__ = ["CHAT", "PLAIN", "Layout", "Variant", "newest_that_fit", "personal_input"]

Variant = Literal["both", "summary", "history", "none"]


@dataclass(frozen=True)
class Layout:
    """Headings around the parts of a prompt; a part that is empty has none."""

    profile: str = ""
    history: str = ""
    query: str = ""

    def render(self, profile: str = "", history: Sequence[str] = (), query: str = "") -> str:
        """Put the parts one under another; every part's line breaks but a history's are spaces."""
        parts = [
            (self.profile, [_line(profile)] if profile.strip() else []),
            (self.history, [_line(title) for title in history if title.strip()]),
            (self.query, [_line(query)] if query.strip() else []),
        ]
        lines = [line for head, body in parts if body for line in ([head] if head else []) + body]
        return "".join(f"{line}\n" for line in lines)


# as the tiny model reads histories in its training: one title a line
PLAIN = Layout()
CHAT = Layout(
    profile="The person's purchasing preference:",
    history="Products that the person purchased before, oldest first:",
    query="Question:",
)


def _line(text: str) -> str:
    """One line: untrusted text must not look like another part."""
    return " ".join(text.split())


def personal_input(
    summary: str,
    history: Sequence[str],
    query: str,
    *,
    variant: Variant = "both",
    k: int = 2,
    retrieve: Retriever = bm25,
) -> tuple[str, list[str]]:
    """The shopper as told for one query: her summary, and the k purchases that bear on it.

    The purchases stand in the order in which they were made. `render` lays the two out for an
    encoder or for a prompt.
    """
    told = summary if variant in {"both", "summary"} else ""
    places = retrieve(query, history, k) if variant in {"both", "history"} else []
    return told, [history[place] for place in sorted(places)]


def newest_that_fit(
    history: Sequence[str], room: int, tokens_of: Callable[[Sequence[str]], Sequence[int]]
) -> list[str]:
    """The newest titles of a history whose tokens, line breaks included, fit into some room."""
    kept = 0
    for count in reversed(tokens_of(history)):
        room -= count + 1
        if room < 0:
            break
        kept += 1
    return list(history[len(history) - kept :])
