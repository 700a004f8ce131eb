"""The tasks a profile is made for: what is asked of the raw context, and what of the profile.

Each stage's prompt is a template file; the questions are the paper's own (Guided Profile
Generation, section 5.2 and figures 1 and 2), word for word where it prints them.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from personalizer.errors import ProfileError
from personalizer.profiles.history import History, Purchase
from personalizer.profiles.labels import Labeller
from personalizer.profiles.prompts import render, version_of
from personalizer.profiles.untrusted import clean

__all__ = ["STYLES", "TASKS", "Style", "Task", "task_named"]

Style = Literal["guided", "unguided", "behaviour"]
STYLES: tuple[Style, ...] = ("guided", "unguided", "behaviour")
_ASPECTS = ("capitalization", "emoji", "abbreviation", "punctuation")


@dataclass(frozen=True)
class Task:
    """One task: digest ► profile ► answer."""

    name: str
    description: str  # as "Profile-to-PEFT" describes a task to the model and to the encoder
    # whether the guidance goes to the answer as well, beside the profile
    guidance_in_answer: bool = False

    def context(self, history: History, kind_of: Labeller) -> str:
        """The raw context, each entry on its line between marks."""
        lines = [line for line in self._lines(history, kind_of) if line]
        return render(f"{self.name}.context.v1", lines="\n".join(lines))

    def digest(self, history: History, kind_of: Labeller) -> str:
        """The question that guides: what to look for in the context."""
        return render(f"{self.name}.digest.v1", context=self.context(history, kind_of))

    def profile(self, history: History, kind_of: Labeller, style: Style, guidance: str = "") -> str:
        """The question for the profile, guided by a digestion or not."""
        context = self.context(history, kind_of)
        if style == "behaviour":
            return render(
                "behaviour.v1", task_description=self.description, user_history=f"\n{context}"
            )
        values = {"context": context, "guidance": guidance, "aspect": _aspect(guidance)}
        return render(f"{self.name}.{style}.v1", **values)

    def update(self, new: History, kind_of: Labeller, before: str, guidance: str) -> str:
        """The question for a profile from the one before and what was bought since."""
        values = {"context": self.context(new, kind_of), "before": before, "guidance": guidance}
        return render(f"{self.name}.update.v1", **values)

    def question(self, question: str, options: tuple[str, ...] = ()) -> str:
        """What is asked at the end; options are numbered from 1."""
        numbered = "\n".join(f"[{n}] {clean(each)}" for n, each in enumerate(options, 1))
        values = {"question": clean(question), "options": numbered}
        return render(f"{self.name}.question.v1", **values).rstrip("\n")

    def prompt_version(self, style: Style) -> str:
        """Changes with any character of a prompt that this style reads."""
        names = [f"{self.name}.context.v1", "system.v1", "retry.v1"]
        if style == "behaviour":
            names.append("behaviour.v1")
        else:
            names.append(f"{self.name}.{style}.v1")
        if style == "guided":
            names.append(f"{self.name}.digest.v1")
        if self.updates and style == "guided":
            names.append(f"{self.name}.update.v1")
        told = hashlib.sha256(self.description.encode()).hexdigest()[:4]
        return f"{self.name}-{style}-{version_of(*names)}{told if style == 'behaviour' else ''}"

    @property
    def updates(self) -> bool:
        """Whether an old profile can be carried on with what is new."""
        return self.name == "purchase"

    def _lines(self, history: History, kind_of: Labeller) -> list[str]:
        if self.name == "purchase":
            return [_told(bought, kind_of) for bought in history.purchases]
        return [clean(text) for text in history.texts]


def _told(bought: Purchase, kind_of: Labeller) -> str:
    """A purchase by its title; by its kind alone where the title tells too much, or is not one."""
    item = bought.item
    title, policy = clean(item.title), kind_of.policy
    if title and not policy.in_text(title) and not any(map(policy.in_category, item.categories)):
        return title
    kind = kind_of(item)
    return kind.label[:1].upper() + kind.label[1:] if kind else ""


def _aspect(guidance: str) -> str:
    """Which of the four aspects of writing an answer names; all where it names none."""
    lowered = guidance.lower()
    named = [each for each in _ASPECTS if re.search(rf"\b{each[:-1]}", lowered)]
    return named[0] if len(named) == 1 else ", ".join(named or _ASPECTS)


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "purchase",
            "Product purchase prediction: Predict which product a shopper will buy next based on "
            "their purchase history and preferences.",
        ),
        Task(
            "tweet",
            "Tweet paraphrasing: Rewrite tweets in a personal style while maintaining the original "
            "meaning and adapting the tone and language to individual communication patterns.",
            guidance_in_answer=True,
        ),
        Task(
            "dialogue",
            "Personal conversation response: Generate authentic and personalized responses to "
            "conversations that reflect individual personality, background, and communication "
            "style.",
        ),
    )
}


def task_named(name: str) -> Task:
    """A task by its name."""
    if name not in TASKS:
        raise ProfileError(f"no profile task {name!r}", fix=f"one of {', '.join(TASKS)}")
    return TASKS[name]
