"""What the hypernetwork learns from: tasks that all ask what a shopper does next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from personalizer.errors import TrainingError, extra
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import prompt_tokens
from personalizer.scoring.options import LABELS, label_tokens, option_text

with extra("llm"):
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ChooseOption",
    "Example",
    "Experience",
    "NextPurchase",
    "Preference",
    "Rating",
    "Task",
    "mixed",
    "tasks_of",
]

Vectors = NDArray[np.float32]
TASKS = 4  # of one batch


@dataclass(frozen=True)
class Example:
    """A prompt, the answer to learn, and whose adapter it is learned by."""

    row: int
    prompt: list[int]
    target: list[int]


@dataclass(frozen=True, eq=False)
class Experience:
    """N times somebody bought something: who she was just before, and what it was."""

    vectors: Vectors  # (N, D)
    titles: Sequence[str]
    shelf: Sequence[str]  # titles that may stand beside the right one
    prompts: Sequence[str] = ()  # what stands before the question; nothing where empty
    ratings: Sequence[float | None] = ()

    def __post_init__(self) -> None:
        count = len(self.titles)
        lengths = {len(self.vectors), len(self.prompts) or count, len(self.ratings) or count}
        if lengths != {count} or count < 2:
            raise TrainingError(
                f"{len(self.vectors)} vectors, {len(self.prompts)} prompts and "
                f"{len(self.ratings)} ratings for {count} titles",
                where="experience",
                fix="give as many of each, two at least",
            )

    def prompt(self, row: int) -> str:
        """What stands before a question."""
        return self.prompts[row] if self.prompts else ""


class Task(Protocol):
    """One way of asking."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Experiences it can be asked of."""

    def example(self, lm: LanguageModel, row: int, rng: np.random.Generator) -> Example:
        """Ask it of one."""


def _asked(lm: LanguageModel, text: str) -> list[int]:
    return prompt_tokens(lm, [text])[0] if text else [lm.start_id]


@dataclass(frozen=True, eq=False)
class NextPurchase:
    """Tell the title bought next."""

    of: Experience

    @property
    def rows(self) -> NDArray[np.int64]:
        """Those with a title."""
        return np.array([r for r, title in enumerate(self.of.titles) if title.strip()], np.int64)

    def example(self, lm: LanguageModel, row: int, rng: np.random.Generator) -> Example:  # noqa: ARG002
        """Prompt and title."""
        (target,) = lm.tokens([self.of.titles[row]])
        return Example(row, _asked(lm, self.of.prompt(row)), target)


@dataclass(frozen=True, eq=False)
class ChooseOption(NextPurchase):
    """Tell the label of what was bought, among others in any order."""

    options: int = 4

    def example(self, lm: LanguageModel, row: int, rng: np.random.Generator) -> Example:
        """Options in a new order, and the right one's label."""
        return _labelled(lm, self.of, row, _others(self.of, row, self.options - 1, rng), rng)


@dataclass(frozen=True, eq=False)
class Preference:
    """Tell which of two she likes better: by her ratings, or what she bought over what she did not.

    `worse` names, where it is known, an experience of the same shopper that she rated lower.
    """

    of: Experience
    worse: dict[int, int] = field(default_factory=dict)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Those with a title."""
        return NextPurchase(self.of).rows

    def example(self, lm: LanguageModel, row: int, rng: np.random.Generator) -> Example:
        """Two options and the better one's label."""
        other = self.worse.get(row)
        others = _others(self.of, row, 1, rng) if other is None else [self.of.titles[other]]
        return _labelled(lm, self.of, row, others, rng)


@dataclass(frozen=True, eq=False)
class Rating:
    """Tell how many stars she gave."""

    of: Experience

    @property
    def rows(self) -> NDArray[np.int64]:
        """Those with a rating and a title."""
        rated = [rating is not None and np.isfinite(rating) for rating in self.of.ratings]
        some = NextPurchase(self.of).rows
        return some[np.array(rated, bool)[some]] if rated else some[:0]

    def example(self, lm: LanguageModel, row: int, rng: np.random.Generator) -> Example:  # noqa: ARG002
        """The title, and a digit from 1 to 5."""
        stars = str(int(np.clip(round(float(self.of.ratings[row] or 0)), 1, 5)))
        title = " ".join(self.of.titles[row].split())
        text = "\n".join([*filter(None, [self.of.prompt(row)]), title, "Stars, 1 to 5:\n"])
        return Example(row, _asked(lm, text), label_tokens(lm, [stars]))


def _others(of: Experience, row: int, count: int, rng: np.random.Generator) -> list[str]:
    """Other titles of the shelf, each once."""
    right, picked = of.titles[row], dict[str, None]()
    for _ in range(20 * count):
        title = of.shelf[int(rng.integers(len(of.shelf)))]
        if title.strip() and title != right:
            picked[title] = None
        if len(picked) == count:
            break
    return list(picked)


def _labelled(
    lm: LanguageModel, of: Experience, row: int, others: Sequence[str], rng: np.random.Generator
) -> Example:
    options = [of.titles[row], *others]
    order = rng.permutation(len(options))
    text = option_text(of.prompt(row), [options[place] for place in order])
    label = LABELS[int(np.flatnonzero(order == 0)[0])]
    return Example(row, _asked(lm, text), label_tokens(lm, [label]))


def tasks_of(of: Experience) -> dict[str, Task]:
    """All tasks that an experience allows."""
    distinct = len({title for title in of.shelf if title.strip()})
    tasks: dict[str, Task] = {"next": NextPurchase(of), "rating": Rating(of)}
    tasks |= {f"choose_{n}": ChooseOption(of, n) for n in (4, 20) if distinct > n}
    if distinct > 2:
        tasks["prefer"] = Preference(of, _rated_lower(of))
    return {name: task for name, task in tasks.items() if len(task.rows)}


def _rated_lower(of: Experience) -> dict[int, int]:
    """For some experiences, another of the same shopper (the same vector) with fewer stars."""
    by_shopper: dict[bytes, list[int]] = {}
    for row in Rating(of).rows.tolist():
        by_shopper.setdefault(of.vectors[row].tobytes(), []).append(row)
    worse: dict[int, int] = {}
    for rows in by_shopper.values():
        for row in rows:
            lower = [r for r in rows if (of.ratings[r] or 0) < (of.ratings[row] or 0)]
            if lower:
                worse[row] = lower[0]
    return worse


def mixed(
    lm: LanguageModel, tasks: dict[str, Task], size: int, rng: np.random.Generator
) -> list[Example]:
    """A batch of up to four tasks, each drawn by the square root of its size."""
    names = list(tasks)
    rows = {name: tasks[name].rows for name in names}
    weight = np.sqrt([len(rows[name]) for name in names])
    some = rng.choice(len(names), min(TASKS, len(names)), replace=False, p=weight / weight.sum())
    share = weight[some] / weight[some].sum()
    which = rng.choice(some, size, p=share)
    which[: len(some)] = some[:size]  # every task drawn is there
    return [
        tasks[names[task]].example(lm, int(rng.choice(rows[names[task]])), rng) for task in which
    ]
