"""Who is due, what it costs, what fails, and that nobody is lost or written twice."""

from collections import Counter
from pathlib import Path

import pytest

from personalizer.profiles.generators import Answer, TemplateGenerator
from recsys.profiles.job import USER
from recsys.results import failures, retry_failures
from tests.openai_server import plausible
from tests.personalizer.profiles.shops import CREAM, POLISH
from tests.recsys.profiles.world import Counting, engine_at, job, longer, shoppers


def test_a_second_run_over_the_same_calls_nobody(tmp_path: Path) -> None:
    people = shoppers(10)
    first = job(tmp_path, Counting()).run(people)
    again = Counting()
    second = job(tmp_path, again).run(people[::-1])
    assert (first.written, first.unchanged, first.waiting) == (10, 0, 0)
    assert (second.written, second.unchanged, second.calls) == (0, 10, 0)
    assert again.asked == []


def test_one_changed_shopper_is_written_once(tmp_path: Path) -> None:
    people = shoppers(10)
    job(tmp_path, Counting()).run(people)
    people[3] = longer(people[3], POLISH)
    generator = Counting()
    outcome = job(tmp_path, generator).run(people)
    assert (outcome.written, outcome.unchanged) == (1, 9)
    assert Counter(generator.users) == {"u03": 2}, "one digestion, one profile"


@pytest.mark.parametrize("what", ["generator", "style", "prompt", "policy"])
def test_another_model_style_prompt_or_policy_writes_all_anew(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = shoppers(3)
    job(tmp_path, Counting()).run(people)
    if what == "prompt":
        monkeypatch.setattr("personalizer.profiles.tasks.version_of", lambda *_: "other")
    name = "other" if what == "generator" else "m"
    changed = job(tmp_path, Counting(name=name), style="unguided" if what == "style" else "guided")
    if what == "policy":
        from dataclasses import replace

        from personalizer.profiles.sensitive import Policy

        allowed = Policy(frozenset({"health"}))
        changed.profiler.guard = replace(changed.profiler.guard, policy=allowed)
    assert changed.run(people).written == 3


def test_little_that_is_new_is_carried_on_and_much_is_written_afresh(tmp_path: Path) -> None:
    people = shoppers(2)
    job(tmp_path, Counting()).run(people)
    people = [longer(people[0], CREAM), longer(people[1], *[CREAM] * 4)]
    generator = Counting()
    outcome = job(tmp_path, generator, update_up_to=3).run(people)
    assert (outcome.written, outcome.updated) == (2, 1)
    carried = {r.history.user_id for r in generator.asked if "purchased since" in r.prompt}
    assert carried == {"u00"}


def test_a_profile_of_another_generator_is_not_carried_on(tmp_path: Path) -> None:
    people = shoppers(1)
    job(tmp_path, TemplateGenerator()).run(people)
    generator = Counting()
    job(tmp_path, generator).run([longer(people[0], CREAM)])
    assert not [r for r in generator.asked if "purchased since" in r.prompt]


def test_a_corrected_history_is_written_afresh(tmp_path: Path) -> None:
    people = shoppers(1, length=5)
    job(tmp_path, Counting()).run(people)
    corrected = longer(people[0], CREAM)
    without = corrected.purchases[:1] + corrected.purchases[2:]
    generator = Counting()
    outcome = job(tmp_path, generator).run([type(corrected)("u00", without, digest="corrected")])
    assert outcome.written == 1
    assert not [r for r in generator.asked if "purchased since" in r.prompt]


@pytest.mark.parametrize(
    ("budget", "said"),
    [({"budget_calls": 6}, "6 calls"), ({"budget_tokens": 300}, "300 tokens")],
)
def test_a_budget_stops_a_run_and_the_next_goes_on(
    tmp_path: Path, budget: dict[str, int], said: str
) -> None:
    people, written, generator = shoppers(9), 0, Counting()
    for _ in range(20):
        one = job(tmp_path, generator, batch=3, **budget)
        outcome = one.run(people)
        assert outcome.calls <= budget.get("budget_calls", 99)
        written += outcome.written
        if not outcome.waiting:
            break
        assert said in outcome.stopped
    assert written == 9
    assert Counter(Counter(generator.users).values()) == {2: 9}, "each written once"


def test_a_budget_of_seconds_stops_between_batches(tmp_path: Path) -> None:
    outcome = job(tmp_path, Counting(), budget_seconds=1e-9).run(shoppers(5))
    assert outcome.written == 0
    assert outcome.waiting == 5
    assert "seconds" in outcome.stopped


def test_the_latest_purchases_come_first(tmp_path: Path) -> None:
    job(tmp_path, generator := Counting(), budget_calls=4, batch=2).run(shoppers(6))
    assert set(generator.users) == {"u05"}


def failing(user_part: str):
    def answer(prompt: str) -> str | Answer:
        return Answer(error="the server said 500", calls=2) if user_part in prompt else (
            plausible(prompt)
        )  # fmt: skip

    return answer


def test_a_failure_is_a_dead_letter_and_is_tried_again(tmp_path: Path) -> None:
    people = [longer(each, CREAM) if n == 1 else each for n, each in enumerate(shoppers(3, 2))]
    engine = engine_at(tmp_path)
    bad = people[1].purchases[0].item.title
    for run in (1, 2, 3):
        outcome = job(tmp_path, Counting(failing(bad))).run(people)
        assert outcome.failed >= 1
        assert {f.tries for f in failures(engine).values()} == {run}
    dead = Counting(failing(bad))
    outcome = job(tmp_path, dead).run(people)
    assert outcome.dead >= 1
    assert outcome.waiting == 0
    assert dead.asked == [], "a dead letter waits for a retry"
    asked = retry_failures(engine)
    outcome = job(tmp_path, Counting()).run(people)
    assert outcome.written == asked
    assert failures(engine) == {}


def test_a_dead_letter_lives_again_when_its_history_changes(tmp_path: Path) -> None:
    people = shoppers(1)
    for _ in range(3):
        job(tmp_path, Counting(lambda _: Answer(error="no", calls=1))).run(people)
    people = [longer(people[0], CREAM)]
    assert job(tmp_path, Counting()).run(people).written == 1
    assert failures(engine_at(tmp_path)) == {}


def test_a_generator_that_is_gone_is_not_asked_for_everybody(tmp_path: Path) -> None:
    generator = Counting(lambda _: Answer(error="the connection failed", calls=2))
    outcome = job(tmp_path, generator, batch=4).run(shoppers(40))
    assert "gone" in outcome.stopped
    assert len(generator.asked) == 8
    assert outcome.waiting == 40
    assert len(failures(engine_at(tmp_path))) == 8


def test_a_rejected_profile_is_not_asked_for_in_every_run(tmp_path: Path) -> None:
    people = shoppers(4)
    first = job(tmp_path, Counting(lambda _: "Sorry.")).run(people)
    again = Counting()
    job(tmp_path, again).run(people)
    assert (first.written, first.by_template) == (4, 4)
    assert first.rejected == {"refusal": 16}
    assert again.asked == []


def test_what_was_written_before_is_kept_beside(tmp_path: Path) -> None:
    people = shoppers(1)
    one = job(tmp_path, Counting())
    one.run(people)
    old = one.state.get(USER, ["u00"])["u00"]
    people = [longer(people[0], POLISH, POLISH)]
    job(tmp_path, TemplateGenerator()).run(people)
    assert one.state.earlier(USER, ["u00"])["u00"] == old
    now = one.state.get(USER, ["u00"])["u00"]
    assert now.last_seconds == people[0].last_seconds
    assert one.state.erase("u00") == 2
    assert one.state.get(USER, ["u00"]) == {}
