"""Files in LaMP's layout, made by hand: read, refused where torn, answered, judged."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalizer.methods import Method
from personalizer.profiles.generators import Answer
from recsys.cli import main
from recsys.errors import LabelError, SettingsError
from recsys.evaluation.lamp import run
from recsys.evaluation.lamp.load import load
from recsys.evaluation.lamp.tasks import LAMP, lamp_task
from recsys.evaluation.texts import label_figures, rating_figures, text_figures

ROWS = {
    "LaMP-1": (
        'Which reference is related? [1]: "Bees" [2]: "Trees"',
        [{"id": "1", "title": "On bees", "abstract": "They hum."}],
        "[1]",
    ),
    "LaMP-2": (
        "Which tag? Just answer with the tag. tags: [comedy, classic, true story] description: Ha.",
        [{"id": "1", "tag": "comedy", "description": "A clown."}],
        "comedy",
    ),
    "LaMP-3": ("What is the score? review: fine", [{"text": "good", "score": "5"}], "4"),
    "LaMP-4": ("Headline for: rain", [{"text": "It rained", "title": "Rain"}], "More rain"),
    "LaMP-5": ("Title for: we study", [{"abstract": "We", "title": "A study"}], "A study of us"),
    "LaMP-7": ("Paraphrase: hello", [{"text": "hey u"}], "hey"),
    "LongLaMP-2": ("Abstract for: bees", [{"title": "Bees", "abstract": "Hum."}], "They hum."),
    "LongLaMP-3": (
        "Review: kettle",
        [{"overall": 5, "summary": "Hot", "description": "A kettle", "reviewText": "It boils"}],
        "It boils well",
    ),
    "LongLaMP-4": ("Post on: tea", [{"summary": "Tea", "content": "Tea is good"}], "I like tea"),
}


def files(folder, name, *, inside=False):
    text, profile, output = ROWS[name]
    rows = [{"id": f"{n}", "input": text, "profile": profile} for n in range(2)]
    if inside:  # as LongLaMP keeps them
        rows = [row | {"output": output} for row in rows]
    questions, outputs = folder / "dev_questions.json", folder / "dev_outputs.json"
    questions.write_text(json.dumps(rows))
    golds = [{"id": f"{n}", "output": output} for n in range(2)]
    outputs.write_text(json.dumps({"task": name.replace("-", "_"), "golds": golds}))
    return questions, None if inside else outputs


@pytest.mark.parametrize("name", LAMP)
@pytest.mark.parametrize("inside", [False, True])
def test_every_task_is_read_as_it_is_published(tmp_path, name, inside):
    task = lamp_task(name)
    first, _ = load(task, *files(tmp_path, name, inside=inside))
    assert first.output == ROWS[name][2]
    assert len(first.entries) == 1
    for value in ROWS[name][1][0].items():
        assert value[0] == "id" or str(value[1]) in first.entries[0]
    assert bool(first.labels) == (task.kind != "text")
    if first.labels:
        assert first.output in first.labels


def test_a_task_is_known_however_it_is_written():
    assert lamp_task("lamp_3") is lamp_task("LaMP-3")
    with pytest.raises(SettingsError, match="LaMP-6"):
        lamp_task("LaMP-6")


@pytest.mark.parametrize(
    ("questions", "outputs", "complaint"),
    [
        ("{", None, "can't be read"),
        ("{}", None, "not a list"),
        ('[{"id": "1"}]', None, "no `input`"),
        ('[{"id": "1", "input": "x", "profile": "y"}]', None, "not a list"),
        ('[{"id": "1", "input": "x", "profile": ["y"]}]', '{"golds": []}', "no output"),
        ('[{"id": "1", "input": "x", "output": "2", "profile": ["y"]}]', None, "no object"),
        ("[]", "[]", "no list `golds`"),
        ("[]", '{"golds": [{"id": 1}]}', "without id or output"),
    ],
)
def test_what_is_not_that_layout_is_refused_with_its_place(tmp_path, questions, outputs, complaint):
    first, second = tmp_path / "q.json", tmp_path / "o.json"
    first.write_text(questions)
    if outputs is not None:
        second.write_text(outputs)
    with pytest.raises(LabelError, match=complaint) as refused:
        load(LAMP["LaMP-3"], first, second if outputs is not None else None)
    assert str(tmp_path) in str(refused.value)


class Echo:
    """Answers with the last line before the question."""

    def answer(self, requests):
        return [Answer(request.prompt.splitlines()[-3]) for request in requests]


def test_methods_put_more_or_less_of_a_person_into_the_prompt(tmp_path):
    asked = load(LAMP["LaMP-7"], *files(tmp_path, "LaMP-7"))
    told = run.written("full_history", asked, Echo())
    assert told == ["hey u", "hey u"]
    prompts = {method: run._prompt(method, asked[0]) for method in run.WRITTEN}
    assert "hey u" not in prompts["base"]
    assert all("hey u" in prompts[method] for method in ("rag", "pag", "full_history"))
    with pytest.raises(SettingsError, match="does not write"):
        run.written("p2p", asked, Echo())


class _Longest(Method):
    name = "longest"

    def __init__(self):
        self.taught = []

    def fit(self, lessons, *, seed=0):
        self.taught = list(lessons)
        return {}

    def _score(self, questions):
        return np.array([[len(o) for o in q.options] for q in questions], np.float32)


class _Encoder:
    def encode(self, texts, progress=None):
        return np.ones((len(texts), 4), np.float32) / 2


def test_a_model_weighs_the_possible_answers(tmp_path):
    asked = load(LAMP["LaMP-2"], *files(tmp_path, "LaMP-2"))
    method = _Longest()
    told = run.chosen("longest", method, asked, asked, _Encoder())
    assert told == ["true story", "true story"]
    assert [lesson.target for lesson in method.taught] == ["comedy", "comedy"]
    figures = run.judged(LAMP["LaMP-2"], ["comedy", "classic"], asked)
    assert figures == {"task": "LaMP-2", "n": 2, "accuracy": 0.5, "f1": pytest.approx(2 / 3)}
    free = load(LAMP["LaMP-7"], *files(tmp_path, "LaMP-7"))
    with pytest.raises(SettingsError, match="no options"):
        run.chosen("longest", method, free, [], _Encoder())


def test_texts_that_are_equal_are_perfect_and_strangers_are_not():
    same = text_figures(["the cat sat on the mat"], ["the cat sat on the mat"])
    assert {name: round(value, 2) for name, value in same.items()} == {
        "rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0, "meteor": 1.0, "bleu": 1.0,
    }  # fmt: skip
    other = text_figures(["a dog"], ["the cat sat on the mat"])
    assert max(other.values()) < 0.1


def test_rouge_counts_words_and_their_order():
    figures = text_figures(["mat the on sat cat the"], ["the cat sat on the mat"])
    assert figures["rouge1"] == 1
    assert figures["rougeL"] < 0.6


def test_labels_and_ratings():
    assert label_figures([" Comedy. ", "classic"], ["comedy", "comedy"])["accuracy"] == 0.5
    assert rating_figures(["5", "about 3 stars"], ["4", "3"]) == {
        "mae": 0.5,
        "rmse": pytest.approx(0.5**0.5),
    }
    assert rating_figures(["no idea", "1"], ["5", "1"])["mae"] == 2, "as far off as can be"


@given(st.lists(st.sampled_from(["1", "2", "3", "none"]), min_size=1, max_size=8))
def test_no_rating_is_better_than_the_truth(told):
    right = ["2"] * len(told)
    figures = rating_figures(told, right)
    assert figures["mae"] >= 0
    assert figures["rmse"] >= figures["mae"] - 1e-9


def command(folder, name, *more):
    questions, outputs = (str(path) for path in files(folder, name))
    return [
        "evaluate",
        "lamp",
        "--task",
        name,
        "--questions",
        questions,
        "--outputs",
        outputs,
        *more,
    ]


@pytest.mark.usefixtures("home")
def test_the_command_answers_and_judges_by_every_method_asked_for(tmp_path, capsys):
    words = command(
        tmp_path, "LaMP-2", "--most", "1", "--json", "-", "--methods", "base", "mt_lora"
    )
    assert main(words) == 1
    assert "nothing to learn from" in capsys.readouterr().err
    questions, outputs = words[5], words[7]
    assert main([*words, "--learn", questions, outputs]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["task"], told["n"], told["lessons"]) == ("LaMP-2", 1, 2)
    assert list(told["methods"]) == ["base", "mt_lora"]
    for figures in told["methods"].values():
        assert {"accuracy", "f1", "seconds"} == set(figures)
        assert figures["accuracy"] in {0, 1}
    assert main(command(tmp_path, "LaMP-3", "--methods", "rag")) == 0
    assert "LaMP-3: 2 questions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "more", "complaint"),
    [
        ("LaMP-7", (), "personalizer.profiles.generator"),
        ("LaMP-7", ("--methods", "p2p"), "does not write"),
        ("LaMP-2", ("--methods", "magic"), "is no method"),
        ("LaMP-2", ("--most", "0"), "no questions"),
    ],
)
def test_what_the_command_can_not_do_is_said_before_a_model_is_loaded(
    tmp_path, capsys, name, more, complaint
):
    assert main(command(tmp_path, name, *more)) == 1
    assert complaint in capsys.readouterr().err
