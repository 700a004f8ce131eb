"""A few questions as a person looks at them: what was told, what was offered, who said what."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys.evaluation.preference.figures import Answered
from recsys.evaluation.preference.joined import HEADLINE
from recsys.evaluation.preference.task import Task

EACH = 5  # any, and as many of those that the headline got wrong
LAST = 12  # purchases that are shown


def examples(task: Task, answered: Mapping[str, Answered]) -> list[dict[str, Any]]:
    """The first questions, and the first failures, in the order of a hash: not picked by result."""
    wrong = np.flatnonzero(answered[HEADLINE].hits == 0)
    rows = dict.fromkeys([*range(min(EACH, len(task.test))), *wrong[:EACH].tolist()])
    return [_told(task, answered, row) for row in rows]


def _told(task: Task, answered: Mapping[str, Answered], row: int) -> dict[str, Any]:
    view, questions = task.test.view, task.test.questions
    catalogue, headline = view.catalogue, answered[HEADLINE]
    options = [int(item) for item in questions.options[row]]
    return {
        "user_id": str(questions.user_ids[row]),
        "history": [catalogue.label(int(item)) for item in view.shoppers.history(row)[-LAST:]],
        "options": [
            {
                "title": catalogue.label(item),
                "category": " > ".join(catalogue.categories[item]),
                "bought": place == int(questions.right[row]),
                "share": round(float(headline.shares[row, place]), 4),
                "chosen_by": [name for name, each in answered.items() if each.picked[row] == place],
            }
            for place, item in enumerate(options)
        ],
        "right": bool(headline.hits[row]),
    }
