"""The methods that the paper compares: what each shows the model before the question.

All ten rows of its ablation table (Guided Profile Generation, table 3), by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from personalizer.errors import ProfileError
from personalizer.profiles.history import History
from personalizer.profiles.labels import Labeller
from personalizer.profiles.prompts import render
from personalizer.profiles.sensitive import ATTRIBUTES, Policy
from personalizer.profiles.tasks import Style, task_named

__all__ = ["METHODS", "Method", "final_prompt", "method_named"]


@dataclass(frozen=True)
class Method:
    """One row: raw context, guidance and profile in the final prompt, or not."""

    name: str
    family: str  # as the paper calls it: DG, PG or GPG
    context: bool
    guidance: bool = False
    profile: bool = False

    @property
    def style(self) -> Style | None:
        """How its profile is made; None where it needs none."""
        return None if not self.profile else "guided" if self.family == "GPG" else "unguided"

    @property
    def digests(self) -> bool:
        """Whether a digestion is made on the way, shown at the end or not."""
        return self.family == "GPG"


def _table() -> Iterable[Method]:
    yield Method("direct", "DG", context=True)
    yield Method("direct-without-context", "DG", context=False)
    yield Method("unguided", "PG", context=True, profile=True)
    yield Method("unguided-profile-alone", "PG", context=False, profile=True)
    yield Method("guided", "GPG", context=True, profile=True)
    yield Method("guided-profile-alone", "GPG", context=False, profile=True)
    yield Method("guided-with-guidance", "GPG", context=True, guidance=True, profile=True)
    yield Method("guided-without-context", "GPG", context=False, guidance=True, profile=True)
    yield Method("guidance", "GPG", context=True, guidance=True)
    yield Method("guidance-alone", "GPG", context=False, guidance=True)


METHODS: Mapping[str, Method] = {method.name: method for method in _table()}


def method_named(name: str) -> Method:
    """A method by its name."""
    if name not in METHODS:
        raise ProfileError(f"no profile method {name!r}", fix=f"one of {', '.join(METHODS)}")
    return METHODS[name]


def final_prompt(
    method: str | Method,
    history: History,
    question: str,
    options: Iterable[str] = (),
    *,
    guidance: str = "",
    profile: str = "",
    task: str = "purchase",
    kind_of: Labeller | None = None,
) -> str:
    """The prompt of the last step: {context}{guidance}{profile}{question}, as the method says.

    The context is the whole history, as in the paper; give a labeller with a stricter policy to
    leave out what tells a sensitive attribute.
    """
    chosen = method_named(method) if isinstance(method, str) else method
    asked = task_named(task)
    parts = []
    if chosen.context:
        everything = kind_of or Labeller(Policy(frozenset(ATTRIBUTES)))
        parts.append(asked.context(history, everything))
    if chosen.guidance:
        parts.append(render("answer.guidance.v1", guidance=_given(guidance, "guidance", chosen)))
    if chosen.profile:
        parts.append(render("answer.profile.v1", profile=_given(profile, "profile", chosen)))
    parts.append(asked.question(question, tuple(options)))
    return "\n\n".join(parts)


def _given(text: str, what: str, method: Method) -> str:
    if not text.strip():
        raise ProfileError(
            f"method {method.name!r} shows a {what}, and none was given",
            where="final prompt",
            fix=f"make the {what} first, or choose a method without it",
        )
    return text
