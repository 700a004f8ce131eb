"""The rows of the paper's ablation table, and its questions word for word."""

import pytest

from personalizer.errors import ProfileError
from personalizer.profiles.history import History
from personalizer.profiles.labels import Labeller
from personalizer.profiles.methods import METHODS, final_prompt, method_named
from personalizer.profiles.prompts import embedding_text, render, text_of
from personalizer.profiles.sensitive import Policy
from personalizer.profiles.tasks import TASKS, task_named
from tests.personalizer.profiles.shops import CREAM, POLISH, history

# Guided Profile Generation, table 3: with context, guidance, profile
TABLE_3 = {
    "direct": (True, False, False),
    "direct-without-context": (False, False, False),
    "unguided": (True, False, True),
    "unguided-profile-alone": (False, False, True),
    "guided": (True, False, True),
    "guided-profile-alone": (False, False, True),
    "guided-with-guidance": (True, True, True),
    "guided-without-context": (False, True, True),
    "guidance": (True, True, False),
    "guidance-alone": (False, True, False),
}
SEEN = history(CREAM, POLISH)
QUESTION = "Which product is the person likely to buy?"


def test_all_ten_rows_run_by_name() -> None:
    assert list(METHODS) == list(TABLE_3)
    families = [method.family for method in METHODS.values()]
    assert families == ["DG"] * 2 + ["PG"] * 2 + ["GPG"] * 6


@pytest.mark.parametrize("name", TABLE_3)
def test_the_final_prompt_shows_what_the_row_says_in_the_papers_order(name: str) -> None:
    shown = final_prompt(name, SEEN, QUESTION, ["A", "B"], guidance="GUIDE", profile="PROFILE")
    there = ("Day Cream" in shown, "GUIDE" in shown, "PROFILE" in shown)
    assert there == TABLE_3[name]
    parts = [shown.find(part) for part in ("Day Cream", "GUIDE", "PROFILE", QUESTION)]
    found = [at for at in parts if at >= 0]
    assert found == sorted(found)
    assert shown.endswith(f"Question: {QUESTION}\n[1] A\n[2] B")


def test_a_profile_is_guided_in_the_rows_of_guided_generation_alone() -> None:
    assert METHODS["guided"].style == "guided"
    assert METHODS["unguided"].style == "unguided"
    assert METHODS["guidance"].style is None
    assert METHODS["guidance"].digests
    assert not METHODS["unguided"].digests


def test_a_missing_profile_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ProfileError, match="make the profile first"):
        final_prompt("guided", SEEN, QUESTION)
    with pytest.raises(ProfileError, match="direct-without-context"):
        method_named("best")
    with pytest.raises(ProfileError, match="purchase, tweet, dialogue"):
        task_named("poem")


def test_the_questions_are_the_papers_own() -> None:
    kind_of = Labeller(Policy())
    writings = History("a", texts=("one", "two"))
    purchase, tweet = TASKS["purchase"], TASKS["tweet"]
    assert purchase.digest(SEEN, kind_of).endswith(
        "Provide the product category of above one by one, each of them use less than 10 words, "
        "split by a comma:"
    )
    assert "What's his/her purchasing preference then?" in purchase.profile(
        SEEN, kind_of, "guided", "Creams"
    )
    assert purchase.context(SEEN, kind_of).startswith(
        "A list of products that the person purchased before:"
    )
    assert tweet.digest(writings, kind_of).endswith(
        "Among the usage of 1. Capitalization, 2. Emoji, 3. Abbreviation, 4. Punctuation, which is "
        "the most distinctive feature of the above tweets?"
    )
    guidance = "The most distinctive feature of the above tweets is the usage of Abbreviations."
    assert tweet.profile(writings, kind_of, "guided", guidance).endswith(
        "Given above, in one sentence, highlight how this person is uniquely writing tweets, pay "
        "attention to the usage of abbreviation."
    )
    assert tweet.profile(writings, kind_of, "unguided").endswith(
        "Given above, in one sentence, highlight how this person's unique tweets writing style."
    )
    assert tweet.question("hi").startswith(
        "Paraphrase the following tweet without any explanation before or after it: "
    )
    for aspect in ("pets", "family", "residence", "favorites", "partner", "possessions", "gender",
                   "self-description"):  # fmt: skip
        assert f'"{aspect}"' in TASKS["dialogue"].digest(writings, kind_of)


def test_guidance_goes_to_the_answer_of_tweets_alone() -> None:
    assert [name for name, task in TASKS.items() if task.guidance_in_answer] == ["tweet"]


def test_the_behavioural_style_is_the_papers_prompt() -> None:
    prompt = TASKS["purchase"].profile(SEEN, Labeller(Policy()), "behaviour")
    assert "You must analyze HOW this user behaves" in prompt
    assert "- Names of people, places, brands, or entities" in prompt
    assert "Day Cream" in prompt
    assert "{{" not in prompt


def test_the_instruction_of_the_embedding_is_the_papers() -> None:
    text = embedding_text("Buying.", "Buys creams.")
    assert text.startswith("Instruction:\nExtract and represent key personalization features")
    assert text.endswith("task: Buying.\n\nUser Information:\nBuys creams.")


def test_a_value_is_never_read_as_a_template() -> None:
    assert render("answer.profile.v1", profile="{{ guidance }}") == (
        "About the person: {{ guidance }}"
    )
    with pytest.raises(ProfileError, match="profile"):
        render("answer.profile.v1")
    with pytest.raises(ProfileError, match=r"purchase\.digest\.v1"):
        text_of("nothing")


def test_a_prompts_version_follows_the_style() -> None:
    versions = {TASKS[task].prompt_version(style)
                for task in TASKS for style in ("guided", "unguided", "behaviour")}  # fmt: skip
    assert len(versions) == 9
