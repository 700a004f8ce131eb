"""One small model and one trained hypernetwork for all tests of the package."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from personalizer.config import EncoderConfig, HypernetConfig, LMConfig
from personalizer.encoder import TextEncoder
from personalizer.hypernet import HyperNetwork
from personalizer.lm import tiny
from personalizer.lm.load import LanguageModel, load
from personalizer.train import train
from tests.personalizer.worlds import TwoTastes, two_tastes

LM = LMConfig(vocab_size=400, hidden_size=64, layers=2, epochs=60, max_steps=150, step_tokens=512)
HYPERNET = HypernetConfig(width=64, steps=150, batch_size=32, learning_rate=2e-3, rank=4)


@dataclass(frozen=True)
class Trained:
    world: TwoTastes
    folder: Path
    lm: LanguageModel
    hypernet: HyperNetwork
    pretraining: dict[str, float]
    training: dict[str, float]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small products are faster on one thread, and their sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def world() -> TwoTastes:
    return two_tastes()


def texts_of(world: TwoTastes) -> list[str]:
    """What the pipeline gives: titles, and histories with one title a line."""
    _, tastes = world.shoppers(100, seed=5)
    first, second = world.purchases(tastes, seed=6), world.purchases(tastes, seed=7)
    return world.titles * 2 + [f"{a}\n{b}" for a, b in zip(first, second, strict=True)]


@pytest.fixture(scope="session")
def trained(world: TwoTastes, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("lm")
    pretraining = tiny.pretrain(texts_of(world), LM, seed=0, out=folder)
    lm = load(str(folder), LM)
    vectors, tastes = world.shoppers(600, seed=1)
    hypernet, training = train(
        lm, vectors, world.purchases(tastes, seed=2), HYPERNET, seed=0, shelf=world.titles
    )
    return Trained(world, folder, lm, hypernet, pretraining, training)


@pytest.fixture
def fresh(trained: Trained) -> HyperNetwork:
    """A hypernetwork before its training."""
    torch.manual_seed(0)
    return HyperNetwork(HYPERNET, trained.hypernet.user_dim, trained.hypernet.shapes)


@pytest.fixture
def random_hypernet(fresh: HyperNetwork) -> HyperNetwork:
    """A hypernetwork whose heads say something, and something else for everyone."""
    for parameter in [*fresh.a.parameters(), *fresh.b.parameters()]:
        torch.nn.init.normal_(parameter, std=0.1)
    return fresh.eval()


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder(EncoderConfig())


@pytest.fixture
def users(world: TwoTastes) -> np.ndarray:
    return world.shoppers(4, seed=9)[0]
