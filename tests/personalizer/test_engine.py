import dataclasses
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from personalizer.errors import TrainingError, WeightsError
from personalizer.lora import Pair
from personalizer.train import Experience, Recipe, Step, fit, train, train_on_tasks
from personalizer.train.losses import noisy, target_nll, weight_penalty
from personalizer.train.tasks import ChooseOption, Preference, Rating, mixed, tasks_of
from tests.personalizer.conftest import HYPERNET

RECIPE = Recipe(steps=40, learning_rate=0.05, every=10)


def line():
    """A line to be found through points, with noise that depends on the step's own seed."""
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def step_of(module, step):
    x = torch.randn(16, 2)  # seeded by the loop, for each step anew
    return Step((module(x) - x @ torch.tensor([[2.0], [-1.0]])).square().mean(), 16)


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_it_learns_and_repeats():
    first, second = line(), line()
    losses = []
    fit(first, step_of, RECIPE, seed=1, progress=lambda at: losses.append(at.loss))
    fit(second, step_of, RECIPE, seed=1)
    assert torch.equal(weights(first), weights(second))
    assert losses[-1] < losses[0] / 2


def test_progress_tells_loss_speed_and_accuracy():
    seen = []
    fit(line(), step_of, RECIPE, seed=1, accuracy=lambda: 0.5, progress=seen.append)
    assert [at.step for at in seen] == list(range(1, 41))
    assert seen[0].accuracy is None
    assert seen[-1].accuracy == 0.5
    assert seen[-1].tokens_per_second > 0
    assert seen[-1].loss < seen[0].loss


def _killed_at(path, at):
    def dying(module, step):
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step_of(module, step)

    fit(line(), dying, RECIPE, seed=1, checkpoint=path)


@pytest.mark.parametrize("at", [5, 27])
def test_killed_and_started_again_it_comes_to_the_same(tmp_path, at):
    whole, path = line(), tmp_path / "state.pt"
    fit(whole, step_of, RECIPE, seed=1)
    process = multiprocessing.get_context("spawn").Process(target=_killed_at, args=(path, at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = line()
    learned = fit(again, step_of, RECIPE, seed=1, checkpoint=path)
    assert learned.resumed_at == at // 10 * 10
    assert torch.equal(weights(again), weights(whole))


def test_the_state_of_another_training_is_not_taken(tmp_path):
    path = tmp_path / "state.pt"
    fit(line(), step_of, RECIPE, seed=1, checkpoint=path)
    assert fit(line(), step_of, RECIPE, seed=2, checkpoint=path).resumed_at == 0
    path.write_bytes(b"torn")
    with pytest.raises(WeightsError, match="delete it"):
        fit(line(), step_of, RECIPE, seed=1, checkpoint=path)


def test_divergence_goes_back_and_on_at_a_lower_rate(caplog):
    """The loss breaks at high rates only: the third try gets through."""
    rates = []

    def fragile(module, step):
        done = step_of(module, step)
        before = getattr(module, "was", weights(module))
        moved = float((weights(module) - before).abs().max())
        module.was = weights(module)
        rates.append(moved)
        return done if moved < 0.01 else Step(done.loss * float("nan"))

    module = line()
    recipe = dataclasses.replace(RECIPE, learning_rate=0.1, warm_up=0)
    with caplog.at_level(logging.WARNING):
        learned = fit(module, fragile, recipe, seed=1)
    assert learned.rollbacks == 2
    assert "back to step 0" in caplog.text
    assert torch.isfinite(weights(module)).all()


def test_divergence_without_end_is_an_error():
    def lost(module, step):
        done = step_of(module, step)
        return Step(done.loss * float("inf"))

    with pytest.raises(TrainingError, match="diverged"):
        fit(line(), lost, RECIPE, seed=1)


def test_a_hypernetworks_training_goes_on_to_the_same(trained, world, tmp_path):
    vectors, tastes = world.shoppers(60, seed=20)
    pairs = vectors, world.purchases(tastes, seed=21)
    config = dataclasses.replace(HYPERNET, steps=60)
    whole, _ = train(trained.lm, *pairs, config, seed=4)

    class StopError(Exception):
        pass

    def stop(step, _steps):
        if step == 55:
            raise StopError

    with pytest.raises(StopError):
        train(trained.lm, *pairs, config, seed=4, checkpoint=tmp_path / "c.pt", progress=stop)
    again, _ = train(trained.lm, *pairs, config, seed=4, checkpoint=tmp_path / "c.pt")
    assert torch.equal(weights(again), weights(whole))


@pytest.fixture(scope="module")
def experience(world):
    vectors, tastes = world.shoppers(300, seed=22)
    titles = world.purchases(tastes, seed=23)
    stars = [5.0 if t else None for t in tastes]
    return Experience(vectors, titles, world.titles, ratings=stars)


def test_every_task_asks_what_it_says(trained, world, experience):
    lm, rng = trained.lm, np.random.default_rng(0)

    def told(example):
        return lm.tokenizer.decode(example.prompt[1:]), lm.tokenizer.decode(example.target)

    tasks = tasks_of(experience)
    assert set(tasks) == {"next", "choose_4", "choose_20", "rating", "prefer"}
    prompt, target = told(tasks["next"].example(lm, 3, rng))
    assert (prompt, target) == ("", experience.titles[3])
    prompt, target = told(tasks["choose_4"].example(lm, 3, rng))
    lines = prompt.splitlines()
    assert len(lines) == 5
    assert f"{target}) {experience.titles[3]}" in lines
    assert len({line[3:] for line in lines[:4]}) == 4
    row = int(tasks["rating"].rows[0])
    prompt, target = told(tasks["rating"].example(lm, row, rng))
    assert experience.titles[row] in prompt
    assert target == "5"
    labels = {told(ChooseOption(experience, 4).example(lm, 3, rng))[1] for _ in range(40)}
    assert labels == set("ABCD")  # the right one stands anywhere


def test_what_was_rated_lower_is_the_other_option(trained, world):
    vectors = np.repeat(world.shoppers(1, seed=1)[0], 2, axis=0)
    of = Experience(vectors, ["rose soap", "wood saw"], world.titles, ratings=[5.0, 2.0])
    task = tasks_of(of)["prefer"]
    assert isinstance(task, Preference)
    prompt = task.example(trained.lm, 0, np.random.default_rng(0)).prompt
    assert "wood saw" in trained.lm.tokenizer.decode(prompt)
    assert len(Rating(of).rows) == 2


def test_a_batch_mixes_four_tasks_by_the_root_of_their_sizes(trained, experience):
    seen = []

    class Named:
        def __init__(self, name, count):
            self.name, self.rows = name, np.arange(count)

        def example(self, lm, row, rng):
            seen.append(self.name)

    tasks = {name: Named(name, 4 ** (i + 1)) for i, name in enumerate("abcde")}
    rng = np.random.default_rng(0)
    for _ in range(300):
        seen.clear()
        mixed(trained.lm, tasks, 32, rng)
        assert len(set(seen)) == 4
    one = {name: Named(name, count) for name, count in (("a", 100), ("b", 900))}
    seen.clear()
    mixed(trained.lm, one, 4000, rng)
    assert seen.count("b") / len(seen) == pytest.approx(0.75, abs=0.03)


def test_many_tasks_teach_who_likes_what(trained, experience):
    config = dataclasses.replace(
        HYPERNET, steps=60, weight_penalty=1e-3, label_smoothing=0.05, noise=1.0
    )
    accuracies, losses = iter([0.25, 0.75]), []
    hypernet, learned = train_on_tasks(
        trained.lm,
        experience,
        config,
        seed=0,
        accuracy=lambda _: next(accuracies),
        progress=lambda at: losses.append(at.loss),
    )
    assert learned.accuracies == [(50, 0.25), (60, 0.75)]
    assert learned.rollbacks == 0
    assert learned.loss < losses[0] - 1
    assert not hypernet.training


def test_losses_by_hand(trained):
    pair = {"q_proj": Pair(torch.full((1, 1, 2, 3), 2.0), torch.zeros(1, 1, 3, 2))}
    assert float(weight_penalty(pair)) == 2.0
    ids = torch.tensor([[1, 5, 6, 7]])
    logits = trained.lm.model(input_ids=ids).logits[0].log_softmax(-1)
    expected = -(logits[1, 6] + logits[2, 7]) / 2
    nll = target_nll(trained.lm, [[1, 5], [1]], [[6, 7], [5, 6, 7, 8]])
    assert float(nll[0]) == pytest.approx(float(expected), abs=1e-5)
    words = trained.lm.model.get_input_embeddings()
    with noisy(trained.lm, 5.0):
        torch.manual_seed(0)
        moved = (words(ids) - trained.lm.model.model.embed_tokens.weight[ids]).abs()
        assert 0 < float(moved.max()) <= 5 / (4 * 64) ** 0.5 + 1e-6
    assert torch.equal(words(ids), trained.lm.model.model.embed_tokens.weight[ids])


def test_an_experience_that_does_not_fit_is_refused(world):
    with pytest.raises(TrainingError, match="for 2 titles"):
        Experience(np.zeros((3, 2), np.float32), ["a", "b"], ["a"])


SEVERAL = """
import sys
import torch
from torch import nn
from personalizer.train import Recipe, Step, fit

torch.manual_seed(0)
module = nn.Linear(2, 1)

def step_of(module, step):
    x = torch.randn(16, 2)
    return Step((module(x) - x @ torch.tensor([[2.0], [-1.0]])).square().mean(), 16)

fit(module, step_of, Recipe(steps=20, learning_rate=0.1), seed=1)
drawn = torch.rand(1).item()  # each process draws its own
sys.stdout.write(f"{module.weight.flatten().tolist()};{drawn}\\n")
sys.stdout.flush()
"""


@pytest.mark.slow
def test_several_processes_learn_one_module_from_batches_of_their_own(tmp_path):
    script = tmp_path / "several.py"
    script.write_text(SEVERAL)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            script,
        ],
        env=os.environ
        | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    weights, drawn = zip(*(line.split(";") for line in done.stdout.splitlines()), strict=True)
    assert len(weights) == 2
    assert weights[0] == weights[1]
    assert drawn[0] != drawn[1]
