"""The generator without a model: sentences from counts. The default, and the others' fallback."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from personalizer.profiles import template
from personalizer.profiles.generators.base import Answer, Generator, Request
from personalizer.profiles.history import History
from personalizer.profiles.labels import Labeller
from personalizer.profiles.sensitive import Policy
from personalizer.profiles.template import prose, texts
from personalizer.profiles.template.facts import facts_of

__all__ = ["TemplateGenerator"]

UNKNOWN = "Nothing that could be told is known of this shopper's purchases yet."


class TemplateGenerator(Generator):
    """Deterministic, and made of the history alone: no title reaches its sentences."""

    trusted = True

    def __init__(self, policy: Policy | None = None) -> None:
        self._kind_of = Labeller(policy or Policy())

    @property
    def version(self) -> str:
        """Changes with any of its sentences or words."""
        return f"template@{_code()}"

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer each request."""
        return [Answer(self._text(request), calls=1) for request in requests]

    def kind_of(self) -> Labeller:
        """Its labels."""
        return self._kind_of

    def _text(self, request: Request) -> str:
        if request.task != "purchase":
            return texts.answer(
                request.task, request.stage, request.history.texts, self._kind_of.policy
            )
        return self._purchases(request.history, request)

    def _purchases(self, history: History, request: Request) -> str:
        if request.stage == "digest":
            kinds = (self._kind_of(bought.item) for bought in history.purchases)
            return prose.digest([kind.label for kind in kinds if kind])
        facts = facts_of(history, self._kind_of)
        if facts is None:
            return UNKNOWN
        return prose.behaviour(facts) if request.style == "behaviour" else prose.profile(facts)


@cache
def _code() -> str:
    """A digest of the code and the words that its sentences come from."""
    folder = Path(template.__file__).parent
    sources = [*folder.glob("*.py"), *(folder.parent / "words").glob("*.txt")]
    sources += [folder.parent / name for name in ("labels.py", "lexicon.py", "untrusted.py")]
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda path: path.name):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:8]
