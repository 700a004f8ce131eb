"""Digest, judge, write, judge: one retry, then the template, flagged; nothing is lost."""

from collections.abc import Callable, Sequence

from personalizer.profiles.generators import Answer, Generator, Request, TemplateGenerator
from personalizer.profiles.guard import Catalogue, Guard
from personalizer.profiles.profiler import Before, Profiler, Subject
from tests.openai_server import plausible
from tests.personalizer.profiles.shops import CREAM, DRYER, ITEMS, POLISH, SHAMPOO, history

ANN = history(CREAM, CREAM, POLISH, user="ann")
BOB = history(SHAMPOO, DRYER, DRYER, user="bob")


class Scripted(Generator):
    """Answers by a function of the prompt, and remembers what it was asked."""

    def __init__(self, answer: Callable[[str], str | Answer]) -> None:
        self._answer = answer
        self.asked: list[Request] = []

    @property
    def version(self) -> str:
        return "scripted"

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.asked += requests
        found = (self._answer(request.prompt) for request in requests)
        return [a if isinstance(a, Answer) else Answer(a, tokens=10, calls=1) for a in found]


def of(answer: Callable[[str], str | Answer], style: str = "guided") -> tuple[Profiler, Scripted]:
    generator = Scripted(answer)
    return Profiler(generator, Guard(Catalogue.of(ITEMS)), style=style), generator


def test_the_digestion_guides_the_profile() -> None:
    profiler, generator = of(plausible)
    made = profiler.write([Subject(ANN), Subject(BOB)])
    assert [one.guidance for one in made] == ["Day Cream, Red Polish", "Mild Shampoo, Ionic Dryer"]
    assert made[0].profile.startswith("This person seems to buy mostly Day Cream and Red Polish")
    assert [one.generator for one in made] == ["scripted", "scripted"]
    stages = [request.stage for request in generator.asked]
    assert stages == ["digest", "digest", "profile", "profile"]
    assert "Product categories of the above: Day Cream, Red Polish" in generator.asked[2].prompt
    assert profiler.usage.calls == 4
    assert profiler.usage.tokens == 40


def test_a_rejected_answer_is_asked_for_once_more_with_its_reason() -> None:
    def once_sorry(prompt: str) -> str:
        again = "An earlier answer was refused, because it declined" in prompt
        return plausible(prompt) if again or "Provide" in prompt else "Sorry, I can't."

    profiler, generator = of(once_sorry)
    made = profiler.write([Subject(ANN)])[0]
    assert made.generator == "scripted"
    assert made.rejected == ("profile: refusal",)
    assert len(generator.asked) == 3


def test_after_one_retry_the_template_writes_and_says_for_whom_and_why() -> None:
    profiler, generator = of(lambda _: "Sorry, I can't.")
    made = profiler.write([Subject(ANN)])[0]
    template = TemplateGenerator()
    assert made.generator == f"{template.version} for scripted: refusal"
    assert made.profile == template.answer([Request("profile", "", ANN)])[0].text
    assert made.rejected == ("digest: refusal",) * 2 + ("profile: refusal",) * 2
    assert len(generator.asked) == 4
    assert profiler.usage.rejected == {"refusal": 4}


def test_only_whom_it_concerns_is_asked_again() -> None:
    def bad_for_bob(prompt: str) -> str:
        return "" if "Dryer" in prompt and "Provide" not in prompt else plausible(prompt)

    profiler, generator = of(bad_for_bob)
    made = profiler.write([Subject(ANN), Subject(BOB)])
    assert made[0].rejected == ()
    assert made[1].generator.endswith("for scripted: empty")
    assert len(generator.asked) == 5


def test_an_unreachable_generator_gives_an_error_and_no_profile() -> None:
    def gone(prompt: str) -> str | Answer:
        return Answer(error="the server said 500") if "Dryer" in prompt else plausible(prompt)

    made = of(gone)[0].write([Subject(ANN), Subject(BOB)])
    assert made[0].profile
    assert (made[1].error, made[1].profile, made[1].generator) == ("the server said 500", "", "")


def test_behaviour_needs_no_digestion() -> None:
    profiler, generator = of(lambda _: "This person decides fast and pays for it.", "behaviour")
    made = profiler.write([Subject(ANN)])[0]
    assert made.guidance == ""
    assert [request.stage for request in generator.asked] == ["profile"]
    assert "analyze HOW this user behaves" in generator.asked[0].prompt


def test_an_old_profile_is_carried_on_with_what_is_new() -> None:
    before = Before("Day Cream", "This person seems to like Day Cream.", seen=2)
    profiler, generator = of(plausible)
    made = profiler.write([Subject(ANN, before)])[0]
    assert made.guidance == "Day Cream, Red Polish"
    digest, profile = generator.asked
    assert "Red Polish" in digest.prompt
    assert "Day Cream" not in digest.prompt
    assert "seems to like Day Cream." in profile.prompt
    assert "- Day Cream" not in profile.prompt


def test_the_template_carried_on_is_the_template_afresh() -> None:
    profiler = Profiler(TemplateGenerator(), Guard())
    fresh = profiler.write([Subject(ANN)])[0]
    short = history(CREAM, CREAM, user="ann")
    old = profiler.write([Subject(short)])[0]
    carried = profiler.write([Subject(ANN, Before(old.guidance, old.profile, 2))])[0]
    assert (carried.guidance, carried.profile) == (fresh.guidance, fresh.profile)


def test_versions_of_prompts_differ_by_style() -> None:
    assert of(plausible)[0].prompt_version != of(plausible, "behaviour")[0].prompt_version
