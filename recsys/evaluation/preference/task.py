"""A law put to a run: questions that teach, questions that decide, questions that are measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import PAD, Bools, Ints, Longs
from recsys.catalogue import Catalogue
from recsys.errors import StageError
from recsys.evaluation.preference.answers import Answers
from recsys.evaluation.preference.build import build, first_by_hash
from recsys.evaluation.preference.laws import Law, Stock
from recsys.evaluation.preference.personal import Personal
from recsys.evaluation.preference.questions import Questions
from recsys.evaluation.preference.stages import hidden_answers
from recsys.evaluation.preference.view import View
from recsys.pipeline import parts
from recsys.pipeline.moments import SERVE
from recsys.pipeline.parts import Inputs
from recsys.ranker.model import Ranker
from recsys.settings import Settings
from recsys.shoppers import Shoppers
from recsys.tables import read_table

WHERE = "preference"
TEACHING, DECIDING, MEASURED = ("early", "train"), "validate", "eval"


@dataclass(frozen=True, eq=False)
class Asked:
    """Questions, and what may be seen when they are answered."""

    view: View
    questions: Questions

    def __len__(self) -> int:
        return len(self.questions)

    def take(self, most: int | None) -> "Asked":
        """As many as are wanted, from the first; shoppers stand in the order of a hash."""
        if most is None or most >= len(self):
            return self
        rows = np.arange(most)
        return Asked(self.view.take(rows), self.questions.take(rows))


@dataclass(frozen=True, eq=False)
class Task:
    """All questions of a law on one body of data."""

    law: Law
    level: int | str
    test: Asked
    validation: Asked  # other shoppers, or an earlier time; the ranker learned from neither
    lessons: Sequence[Asked] = ()  # still earlier: for what learns much, and not for the ranker
    dropped: int = 0


def task_of(law: Law, inputs: Inputs, settings: Settings, *, most: int) -> Task:
    """Ask by a law; `most` shoppers at most are measured."""
    make = _hidden if law.answer == "hidden" else _next
    task = make(law, inputs, settings, most)
    if not len(task.test) or not len(task.validation):
        short = "measured" if not len(task.test) else "learned from"
        raise StageError(
            f"no question by the law {law.name!r} that can be {short}",
            where=WHERE,
            fix="give more purchases, or choose another law or category level",
        )
    return task


@dataclass(frozen=True, eq=False)
class _Moment:
    """Everything at one moment of a run."""

    law: Law
    inputs: Inputs
    settings: Settings
    name: str
    catalogue: Catalogue

    def asked(self, answers: Ints, shoppers: Shoppers, rows: Longs) -> tuple[Asked, int]:
        """Questions about some of the shoppers, by the answers of all (U,)."""
        settings, level = self.settings, self.settings.report.preference.category_level
        known = parts.known_at(self.inputs, self.name, self.catalogue)
        bought = np.bincount(known.items, minlength=len(self.catalogue))
        some = shoppers.take(rows)
        built = build(
            self.law,
            Stock(self.catalogue, bought, level),
            some,
            answers[rows],
            ever=_ever(self.inputs, self.catalogue, some),
            options=settings.report.preference.options,
            seed=settings.seed,
        )
        shelf = parts.shelf_at(self.inputs, self.name, self.catalogue)
        view = View(
            some.take(built.rows),
            built.questions.options,
            shelf,
            parts.sources_at(self.inputs, self.name, shelf, settings.index.device),
            known,
            level,
            settings.seed,
            Ranker.load(self.inputs["ranker"].path) if "ranker" in self.inputs else None,
            Personal(self.inputs, self.catalogue, settings) if "hypernet" in self.inputs else None,
        )
        return Asked(view, built.questions), built.dropped


def _ever(inputs: Inputs, catalogue: Catalogue, shoppers: Shoppers) -> Shoppers:
    """All that was ever bought, whenever it was; by hidden answers, all but those."""
    columns = ["user_id", "item_id", "event_timestamp"]
    purchases = read_table(inputs["tables"].path / "purchases", columns)
    return Shoppers.from_purchases(purchases, catalogue, shoppers.as_of)


def _hidden(law: Law, inputs: Inputs, settings: Settings, most: int) -> Task:
    """The answer was taken out of the history; nothing that was learned saw any of the answers."""
    catalogue = parts.catalogue_of(inputs)
    hidden = hidden_answers(inputs["tables"])
    shoppers = parts.shoppers_at(inputs, SERVE, catalogue)
    answers, tested = _aligned(hidden, shoppers, catalogue)
    at = _Moment(law, inputs, settings, SERVE, catalogue)
    wanted = answers != PAD
    measured = np.flatnonzero(wanted & tested)
    measured = measured[first_by_hash(shoppers.user_ids[measured], most, settings.seed)]
    test, dropped = at.asked(answers, shoppers, measured)
    validation, _ = at.asked(answers, shoppers, np.flatnonzero(wanted & ~tested))
    return Task(law, test.view.level, test, validation, dropped=dropped)


def _aligned(hidden: Answers, shoppers: Shoppers, catalogue: Catalogue) -> tuple[Ints, Bools]:
    """Answers of all shoppers (U,), -1 where none was hidden, and who is measured (U,)."""
    row_of = {str(user): row for row, user in enumerate(shoppers.user_ids)}
    answers = np.full(len(shoppers), PAD, np.int32)
    tested = np.zeros(len(shoppers), bool)
    items = catalogue.positions(hidden.item_ids)
    for user, item, test in zip(hidden.user_ids, items, hidden.test, strict=True):
        if (row := row_of.get(user)) is not None:
            answers[row], tested[row] = item, test
    return answers, tested


def _next(law: Law, inputs: Inputs, settings: Settings, most: int) -> Task:
    """The answer is the purchase after a moment; everything else is from before it."""
    catalogue = parts.catalogue_of(inputs)
    test, dropped = _after(law, inputs, settings, MEASURED, catalogue=catalogue, most=most)
    validation, _ = _after(law, inputs, settings, DECIDING, catalogue=catalogue)
    lessons = [_after(law, inputs, settings, name, catalogue=catalogue)[0] for name in TEACHING]
    return Task(law, test.view.level, test, validation, lessons, dropped)


def _after(
    law: Law,
    inputs: Inputs,
    settings: Settings,
    name: str,
    *,
    catalogue: Catalogue,
    most: int | None = None,
) -> tuple[Asked, int]:
    """Questions about who bought after a moment."""
    shoppers = parts.shoppers_at(inputs, name, catalogue)
    answers = parts.targets_at(inputs, name, shoppers, catalogue).first
    rows = np.flatnonzero((answers != PAD) & (shoppers.lengths > 0))
    if name == DECIDING:  # of the deciding, those from whom the ranker did not learn
        rows = np.intersect1d(rows, parts.deciding(len(shoppers), settings.ranker.weigh_share)[1])
    if most is not None:
        rows = rows[first_by_hash(shoppers.user_ids[rows], most, settings.seed)]
    return _Moment(law, inputs, settings, name, catalogue).asked(answers, shoppers, rows)
