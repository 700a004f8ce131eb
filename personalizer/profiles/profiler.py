"""From histories to profiles: digest, judge, write, judge; one retry, then the template.

A generator that could not be reached is another matter: its shopper gets an error and no profile,
so that the next run asks again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from personalizer.profiles.generators.base import Answer, Generator, Request
from personalizer.profiles.generators.template import TemplateGenerator
from personalizer.profiles.guard import Guard, Reason
from personalizer.profiles.history import History
from personalizer.profiles.labels import Labeller
from personalizer.profiles.prompts import render
from personalizer.profiles.tasks import Style, Task, task_named

__all__ = ["Before", "Made", "Profiler", "Subject", "Usage"]


@dataclass(frozen=True)
class Before:
    """A profile that stands, and how many of the purchases it saw."""

    guidance: str
    profile: str
    seen: int


@dataclass(frozen=True)
class Subject:
    """One to write of; `before` where an old profile is to be carried on."""

    history: History
    before: Before | None = None


@dataclass(frozen=True)
class Made:
    """What was written: by whom, and what was rejected on the way."""

    user_id: str
    guidance: str = ""
    profile: str = ""
    generator: str = ""
    rejected: tuple[str, ...] = ()
    error: str = ""


@dataclass
class Usage:
    """What a run has cost so far."""

    calls: int = 0
    tokens: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def count(self, answers: Sequence[Answer]) -> None:
        """Add the cost of some answers."""
        self.calls += sum(answer.calls for answer in answers)
        self.tokens += sum(answer.tokens for answer in answers)


@dataclass
class _Draft:
    """One on the way."""

    subject: Subject
    guidance: str = ""
    profile: str = ""
    by: str = ""
    rejected: list[str] = field(default_factory=list)
    error: str = ""


_Ask = Callable[[_Draft], Request]


class Profiler:
    """Writes profiles of one task in one style."""

    def __init__(
        self,
        generator: Generator,
        guard: Guard,
        *,
        style: Style = "guided",
        task: str = "purchase",
        max_new_tokens: int = 100,
    ) -> None:
        self.generator, self.guard, self.style = generator, guard, style
        self.task: Task = task_named(task)
        self.usage = Usage()
        self._most = max_new_tokens
        self._template = TemplateGenerator(guard.policy)
        self._kind_of: Labeller = generator.kind_of() or self._template.kind_of()

    @property
    def prompt_version(self) -> str:
        """Of the prompts it reads."""
        return self.task.prompt_version(self.style)

    def write(self, subjects: Sequence[Subject]) -> list[Made]:
        """Write of each, in order."""
        drafts = [_Draft(subject) for subject in subjects]
        if self.style == "guided":
            self._stage(drafts, self._ask_digest, "guidance")
            for draft in drafts:
                if draft.subject.before:
                    draft.guidance = _joined(draft.subject.before.guidance, draft.guidance)
        self._stage([d for d in drafts if not d.error], self._ask_profile, "profile")
        return [self._made(draft) for draft in drafts]

    def _made(self, draft: _Draft) -> Made:
        user = draft.subject.history.user_id
        if draft.error:
            return Made(user, error=draft.error, rejected=tuple(draft.rejected))
        by = draft.by or self.generator.version
        return Made(user, draft.guidance, draft.profile, by, tuple(draft.rejected))

    def _stage(self, drafts: Sequence[_Draft], ask: _Ask, field_name: str) -> None:
        """Ask for all; ask again for what was rejected; let the template write the rest."""
        requests = [ask(draft) for draft in drafts]
        left = self._round(drafts, requests, field_name)
        again = [_again(request, reason, self.guard.max_words) for _, request, reason in left]
        left = self._round([draft for draft, _, _ in left], again, field_name)
        for draft, request, reason in left:
            whole = replace(request, history=draft.subject.history)
            setattr(draft, field_name, self._template.answer([whole])[0].text)
            draft.by = f"{self._template.version} for {self.generator.version}: {reason}"

    def _round(
        self, drafts: Sequence[_Draft], requests: Sequence[Request], field_name: str
    ) -> list[tuple[_Draft, Request, Reason]]:
        """Ask once; what was rejected comes back with its reason."""
        if not requests:
            return []
        answers = self.generator.answer(requests)
        self.usage.count(answers)
        left = []
        for draft, request, answer in zip(drafts, requests, answers, strict=True):
            if answer.error:
                draft.error = answer.error
            elif reason := self._judge(request, answer):
                draft.rejected.append(f"{request.stage}: {reason}")
                self.usage.rejected[reason] = self.usage.rejected.get(reason, 0) + 1
                left.append((draft, request, reason))
            else:
                setattr(draft, field_name, " ".join(answer.text.split()))
        return left

    def _judge(self, request: Request, answer: Answer) -> Reason | None:
        return None if self.generator.trusted else self.guard.judge(request, answer)

    def _ask_digest(self, draft: _Draft) -> Request:
        history = self._new(draft.subject)
        if self.generator.trusted:  # it reads the history itself
            return self._request("digest", "", history)
        return self._request("digest", self.task.digest(history, self._kind_of), history)

    def _ask_profile(self, draft: _Draft) -> Request:
        subject, guidance = draft.subject, draft.guidance
        if self.generator.trusted:
            return self._request("profile", "", subject.history)
        if subject.before and self.task.updates and self.style == "guided":
            new, before = self._new(subject), subject.before.profile
            prompt = self.task.update(new, self._kind_of, before, guidance)
        else:
            prompt = self.task.profile(subject.history, self._kind_of, self.style, guidance)
        return self._request("profile", prompt, subject.history)

    def _new(self, subject: Subject) -> History:
        return subject.history.since(subject.before.seen) if subject.before else subject.history

    def _request(self, stage: str, prompt: str, history: History) -> Request:
        return Request(
            "digest" if stage == "digest" else "profile",
            prompt,
            history,
            self.task.name,
            self.style,
            self._most,
        )


def _again(request: Request, reason: Reason, words: int) -> Request:
    """The same question, with why the first answer was refused."""
    least = max(20, words * 2 // 3)
    prompt = render("retry.v1", prompt=request.prompt, reason=_SAID[reason], words=str(least))
    return replace(request, prompt=prompt)


_SAID: dict[Reason, str] = {
    "empty": "it was empty",
    "refusal": "it declined; whatever can be told is enough",
    "repeating": "it repeated itself",
    "truncated": "it was cut off before its end",
    "too long": "it was too long",
    "wrong language": "it was not in English",
    "names the prompt": "it spoke of the question and not of the person",
    "a product never bought": "it named something that was not purchased",
    "sensitive": "it told of health, belief, family or origin, which is not to be told",
    "lists content": "it named products; tell only how the person decides",
}


def _joined(before: str, new: str) -> str:
    """Old and new categories as one list, each once."""
    parts = [part.strip().rstrip(".") for part in f"{before}, {new}".split(",")]
    known = {part.lower(): part for part in reversed(parts) if part}
    return ", ".join(part for part in dict.fromkeys(known[p.lower()] for p in parts if p))
