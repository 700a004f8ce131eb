"""What must not be said of a person is not said, whoever sells it and however it is called."""

import pytest

from personalizer.errors import ProfileError
from personalizer.profiles.generators import Answer, Request, TemplateGenerator
from personalizer.profiles.guard import Guard
from personalizer.profiles.history import Item
from personalizer.profiles.labels import Labeller
from personalizer.profiles.sensitive import ATTRIBUTES, Policy
from personalizer.profiles.tasks import TASKS
from tests.personalizer.profiles.shops import CREAM, history

SOLD = {
    "health": [
        ("Psoriasis Scalp Shampoo", ("Beauty", "Hair Care", "Shampoos")),
        ("Thicker Again Foam", ("Beauty", "Hair Care", "Hair Loss Products", "Shampoos")),
    ],
    "religion": [("Kosher Sea Salt", ("Grocery", "Pantry", "Salt"))],
    "orientation": [("Lesbian Romance Box Set", ("Books", "Romance", "Romance"))],
    "pregnancy": [
        ("Prenatal Vitamins, 60 Count", ("Health", "Supplements", "Multivitamins")),
        ("Belly Oil", ("Beauty", "Skin Care", "Maternity")),
    ],
    "minors": [
        ("Baby Lotion, 13 oz", ("Beauty", "Skin Care", "Body", "Lotions")),
        ("Eau de Cologne", ("Beauty", "Fragrance", "Children's")),
    ],
    "ethnicity": [
        ("Ethnic Hair Moisture Cream", ("Beauty", "Hair Care", "Creams")),
        ("No-Lye Kit", ("Beauty", "Hair Care", "Hair Relaxers", "Creams")),
    ],
    "politics": [("Republican Party Mug", ("Home", "Kitchen", "Mugs"))],
}
CASES = [(name, title, path) for name, sold in SOLD.items() for title, path in sold]
TELLING = (
    "psoriasis", "hair loss", "kosher", "lesbian", "prenatal", "maternity", "baby", "children",
    "ethnic", "relaxer", "republican",
)  # fmt: skip


@pytest.mark.parametrize(("attribute", "title", "path"), CASES)
def test_nothing_telling_reaches_a_prompt_or_a_profile(
    attribute: str, title: str, path: tuple[str, ...]
) -> None:
    of = history(*[Item("a", title, path), CREAM, CREAM])
    template, task = TemplateGenerator(), TASKS["purchase"]
    said = [template.answer([Request(stage, "", of, style=style)])[0].text
            for stage in ("digest", "profile") for style in ("guided", "behaviour")]  # fmt: skip
    said.append(task.digest(of, Labeller(Policy())))
    for text in said:
        assert not [word for word in TELLING if word in text.lower()]


@pytest.mark.parametrize(("attribute", "title", "path"), CASES)
def test_a_setting_allows_it(attribute: str, title: str, path: tuple[str, ...]) -> None:
    allowed = Labeller(Policy(frozenset(ATTRIBUTES)))
    assert title in TASKS["purchase"].digest(history(Item("a", title, path)), allowed)


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("She buys creams for her eczema.", "health"),
        ("A diabetic shopper.", "health"),
        ("They keep a kosher kitchen.", "religion"),
        ("Likely a gay man.", "orientation"),
        ("This mom-to-be prefers organic lotion.", "pregnancy"),
        ("Shops for toddlers' clothes.", "minors"),
        ("An African-American shopper with relaxed hair.", "ethnicity"),
        ("Seems to vote Republican.", "politics"),
    ],
)
def test_the_guard_rejects_a_text_that_tells(text: str, attribute: str) -> None:
    request = Request("profile", "", history(CREAM))
    told = f"{text} This person seems to be a shopper of creams."
    assert Policy().in_text(text) == attribute
    assert Guard().judge(request, Answer(told)) == "sensitive"
    assert Guard(policy=Policy(frozenset(ATTRIBUTES))).judge(request, Answer(told)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Christian Dior Lipstick",
        "Hypoallergenic mascara",
        "Silk scarf",
        "Black hair dye",
        "Teeny tiny clips",
        "Baby blue nail polish",
        "Health and personal care",
        "Conservative spending",
        "Moisturizer with hyaluronic acid",
    ],
)
def test_what_only_looks_like_it_may_be_said(text: str) -> None:
    assert Policy().in_text(text) == ""


def test_a_shopper_of_sensitive_things_alone_keeps_a_profile_without_them() -> None:
    of = history(*[Item(f"{n}", t, p) for n, (_, t, p) in enumerate(CASES)])
    text = TemplateGenerator().answer([Request("profile", "", of)])[0].text
    assert not [word for word in TELLING if word in text.lower()]
    assert "hair care" in text


def test_an_attribute_nobody_knows_is_an_error() -> None:
    with pytest.raises(ProfileError, match="health, religion"):
        Policy(frozenset({"shoe size"}))
