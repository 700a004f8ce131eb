"""The ten rows of Guided Profile Generation: a language model is asked, and answers in words."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from personalizer.profiles.generators import Generator
from personalizer.profiles.history import History
from personalizer.profiles.methods import METHODS, Method, final_prompt
from recsys.evaluation.preference.histories import ASKED, histories
from recsys.evaluation.preference.personal import Personal
from recsys.evaluation.preference.scorers.base import Scorer, Scores, register
from recsys.evaluation.preference.view import View

NUMBER = re.compile(r"\[?\b(\d{1,2})\b\]?")
REFUSAL = "sorry"  # the paper's own sign of an abstention
WITHOUT_MODEL = "template"
NOTHING = "Nothing is known of this person."


def choice_of(text: str, many: int) -> int | None:
    """The option that an answer names, from 0; None where it names none, or more than one."""
    if REFUSAL in text.lower():
        return None
    bracketed = re.findall(r"\[(\d{1,2})\]", text)
    named = {int(number) for number in bracketed or NUMBER.findall(text)}
    if len(named) != 1:
        return None
    (number,) = named
    return number - 1 if 1 <= number <= many else None


def choices(texts: Sequence[str], many: int) -> Scores:
    """1 for the option that is named, 0 for the others; nan for all where none is."""
    found = np.full((len(texts), many), np.nan)
    for row, text in enumerate(texts):
        if (choice := choice_of(text, many)) is not None:
            found[row] = 0.0
            found[row, choice] = 1.0
    return found


class _Prompted(Scorer):
    """One row: context, guidance and profile in the final prompt, or not."""

    row: ClassVar[Method]
    slow = True
    model = True
    most_deciding = 100

    def unable(self, view: View) -> str:
        """It takes a model that answers questions."""
        if view.personal is None or generator_of(view.personal) == WITHOUT_MODEL:
            return "no model that answers: set personalizer.profiles.generator"
        return ""

    def score(self, view: View) -> Scores:
        """Write guidance and profile where the row shows them, then ask."""
        from personalizer.profiles.generators import Request, build
        from recsys.pipeline.stages.profiles import answers

        assert view.personal is not None
        settings = view.personal.settings
        config, kept = settings.personalizer.profiles, answers(settings)
        generator = build(config, cache=kept)
        try:
            people = histories(view)
            guidance, profiles = _written(self.row, view.personal, people, generator)
            titles = view.catalogue.titles
            prompts = [
                final_prompt(
                    self.row,
                    person,
                    ASKED,
                    [titles[item] for item in options],
                    guidance=guidance[at],
                    profile=profiles[at],
                )
                for at, (person, options) in enumerate(zip(people, view.options, strict=True))
            ]
            told = generator.answer(
                [Request("profile", p, h) for p, h in zip(prompts, people, strict=True)]
            )
        finally:
            generator.close()
        return choices([answer.text for answer in told], view.options.shape[1])


def generator_of(personal: Personal) -> str:
    """Who writes, as the settings say."""
    return personal.settings.personalizer.profiles.generator


def _written(
    row: Method, personal: Personal, people: Sequence[History], generator: Generator
) -> tuple[list[str], list[str]]:
    """Guidance and profile of everybody, by the row's own style; the guard judges them."""
    if not (row.guidance or row.profile):
        return [""] * len(people), [""] * len(people)
    from personalizer.profiles.profiler import Subject
    from recsys.pipeline.stages.profiles import answers
    from recsys.profiles.run import profiler_of

    style = row.style or "guided"
    settings = personal.settings
    config = replace(settings.personalizer.profiles, style=style)
    items = {each.item.item_id: each.item for person in people for each in person.purchases}
    profiler = profiler_of(
        config, list(items.values()), cache=answers(settings), generator=generator
    )
    made = profiler.write([Subject(person) for person in people])
    # an empty one would be refused by the prompt: who could not be written of is told so
    return [one.guidance or NOTHING for one in made], [one.profile or NOTHING for one in made]


def _scorer_of(row: Method) -> type[_Prompted]:
    """The scorer of a row; there is nothing to say of it that the row does not."""
    return type(
        "".join(part.title() for part in row.name.split("-")),
        (_Prompted,),
        {
            "__doc__": f"The row {row.name!r} of the paper's table.",
            "name": row.name.replace("-", "_"),
            "told": f"{row.family}: a language model is asked",
            "row": row,
        },
    )


ROWS = tuple(register(_scorer_of(row)).name for row in METHODS.values())
