"""Every reason to reject an answer, each with answers that have it and answers that don't."""

import random

import pytest

from personalizer.profiles.generators import Answer, Request, TemplateGenerator
from personalizer.profiles.guard import REASONS, Catalogue, Guard
from personalizer.profiles.tasks import TASKS
from tests.personalizer.profiles.shops import CREAM, ITEMS, POLISH, SHAMPOO, history

GUARD = Guard(Catalogue.of(ITEMS))
OF = history(CREAM, POLISH)
GOOD = "This person seems to prefer night creams by Lirelle, along with some nail polish."


def judged(text: str, stage: str = "profile", style: str = "guided", **answer: bool) -> str | None:
    return GUARD.judge(Request(stage, "", OF, style=style), Answer(text, **answer))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("...", "empty"),
        ("I'm sorry, I cannot provide a direct answer to this question.", "refusal"),
        ("As an AI language model, I have no preferences.", "refusal"),
        ("I am unable to tell what this person prefers.", "refusal"),
        ("There is insufficient data to say what the person likes.", "refusal"),
        (f"{GOOD} {GOOD}", "repeating"),
        ("creams and creams and creams and creams and creams and creams and creams.", "repeating"),
        ("This person seems to prefer night creams and also some", "truncated"),
        (" ".join(f"w{chr(97 + n % 26)}{'xyzv'[n // 26]} of" for n in range(90)) + ".", "too long"),
        ("Esta persona prefiere las cremas de noche y el esmalte para las uñas.", "wrong language"),
        ("Diese Person kauft gern Creme für die Nacht und Lack für die Nägel.", "wrong language"),
        ("这个人喜欢晚霜和指甲油。", "wrong language"),
        ("Based on the above list, this person seems to like creams.", "names the prompt"),
        ("The instructions ask for a profile of a person who likes creams.", "names the prompt"),
        ("Here is the profile of a person who likes creams.", "names the prompt"),
        ("This person seems to like creams and a good hair dryer.", "a product never bought"),
        ("This person seems to like creams by Dove.", "a product never bought"),
        ('This person seems to like creams such as "Golden Hour Balm".', "a product never bought"),
        ("This person has eczema and buys night creams for it.", "sensitive"),
    ],
)
def test_a_bad_profile_is_rejected_with_its_reason(text: str, reason: str) -> None:
    assert judged(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "This person's unique purchasing preference seems to be a mix of care and colour.",
        'They like "Day Cream" and little else that is as dear.',
        "A shopper of skin care and makeup who seems to be loyal to Lirelle.",
    ],
)
def test_a_good_profile_passes(text: str) -> None:
    assert judged(text) is None


def test_an_answer_cut_off_by_the_model_is_truncated_whatever_its_end() -> None:
    assert judged(GOOD, truncated=True) == "truncated"
    assert judged("Night Creams, Nail", "digest", truncated=True) == "truncated"


def test_a_digest_is_judged_as_a_list() -> None:
    assert judged("Night Creams, Nail Polish", "digest") is None
    assert judged("Night Creams, Nail Polish, Hair Dryers", "digest") == "a product never bought"
    long = "a night cream that is " + "very " * 30 + "good"
    assert judged(f"{long}, Nail Polish", "digest") in {"too long", "repeating"}
    assert judged("Cream, Cream, Cream, Cream", "digest") == "repeating"


def test_behaviour_must_not_list_content() -> None:
    assert judged("This person is loyal to Lirelle and decides quickly.", style="behaviour") == (
        "lists content"
    )
    listed = "This person:\n- decides quickly\n- pays more than others."
    assert judged(listed, style="behaviour") == "lists content"
    plain = "This person decides quickly and is ready to pay more for the same."
    assert judged(plain, style="behaviour") is None


def test_what_the_old_profile_told_may_be_told_again() -> None:
    before = TASKS["purchase"].update
    template = TemplateGenerator()
    kind_of = template.kind_of()
    prompt = before(history(SHAMPOO), kind_of, GOOD, "Night Creams, Nail Polish, Shampoos")
    request = Request("profile", prompt, history(SHAMPOO))
    assert GUARD.judge(request, Answer(GOOD)) is None


def test_the_templates_own_answers_would_pass() -> None:
    template = TemplateGenerator()
    for n in range(150):
        of = history(*random.Random(n).choices(ITEMS, k=2 + n % 12))
        for stage, style in (("digest", "guided"), ("profile", "guided"), ("profile", "behaviour")):
            request = Request(stage, "", of, style=style)
            answer = template.answer([request])[0]
            assert GUARD.judge(request, answer) is None, answer.text


def test_a_brand_called_like_a_kind_of_product_proves_nothing() -> None:
    from personalizer.profiles.history import Item

    brands = Catalogue.of([*ITEMS, Item("x", "t", ("Beauty", "Nail Polish"), "Nail Polish")]).brands
    assert "Nail Polish" not in brands
    assert "Lirelle" in brands


def test_all_reasons_are_tested_here() -> None:
    assert len(REASONS) == 10


def test_the_papers_own_profile_would_pass() -> None:
    """Guided Profile Generation, figure 4, the first half of the profile of its purchases."""
    from personalizer.profiles.history import History
    from tests.personalizer.profiles.shops import FIGURE_4

    told = (
        "This person's unique purchasing preference seems to be a combination of practical "
        "household items such as laundry bluing solution, dish soap, and cleaning products."
    )
    request = Request("profile", "", History.of_titles(FIGURE_4))
    assert GUARD.judge(request, Answer(told)) is None
