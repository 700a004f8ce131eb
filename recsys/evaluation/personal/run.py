"""The adapted language model from raw files to figures: `tailor personalizer evaluate`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from personalizer.calibration import calibrate, expected_calibration_error, softmax
from personalizer.config import HypernetConfig, LMConfig
from personalizer.lm import load, tiny
from personalizer.methods import MethodSettings
from personalizer.methods.by_peft import MtLora, Oppu
from personalizer.methods.p2p import P2P
from personalizer.proof import prove
from personalizer.timing import measure as timings
from personalizer.train import train
from recsys.candidates import ItemIndex, LinkVectors
from recsys.catalogue import Catalogue
from recsys.evaluation.memory import peak
from recsys.evaluation.personal.measure import (
    OPPU_SHOPPERS,
    Told,
    accuracy,
    ask,
    controls,
    lessons_of,
    minus,
    own_adapters,
    questions_of,
    trained,
)
from recsys.evaluation.personal.people import Group, People, links_among, part
from recsys.evaluation.preference.run import apart
from recsys.evaluation.ranking import scratch
from recsys.pairs import Pairs, pairs
from recsys.pipeline.observer import Observer, Silent
from recsys.pipeline.parts import catalogue_of, shoppers_at
from recsys.pipeline.run import run
from recsys.pipeline.stage import RawFiles
from recsys.pipeline.stages.models import texts_of
from recsys.settings import Settings, dump
from recsys.tastes import Tastes

STAGE = "personalizer"
UNTIL = "embeddings"
LM_STEPS, STEPS = 600, 2400  # of the tiny model and of the hypernetwork, unless told otherwise
HELD_OUT = 1500  # shoppers of each split, at most
ORDER = (
    "base", "rag", "pag", "full_history", "mt_lora", "oppu", "prefix", "p2p", "p2p_profile",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured: the items, who is held out, the recipe."""

    catalogue: Catalogue
    people: People
    settings: Settings
    hypernet: HypernetConfig

    @cached_property
    def tastes(self) -> Tastes:
        """What shoppers are told by; who buys alike is learned from the teachers alone."""
        half_life = self.settings.features.embedding.half_life_purchases
        words = Tastes.of_words(self.catalogue, half_life)
        source = self.hypernet.embedding
        if source == "text":
            return words
        links = links_among(self.people.teachers, self.catalogue)
        return words.linked(source, LinkVectors.learn(links, self.catalogue, seed=self.seed))

    @property
    def seed(self) -> int:
        """All draws follow from it."""
        return self.settings.seed

    def pairs(self) -> Pairs:
        """What the teachers bought next, and who each was before it; and some of the catalogue."""
        index, share = ItemIndex.build(self.catalogue, seed=self.seed), self.hypernet.catalogue
        return pairs(self.people.teachers, self.tastes, index, share, seed=self.seed)

    def shelf(self) -> tuple[str, ...]:
        """Titles that what was bought is told from."""
        return tuple(title for title in self.catalogue.titles if title)


def evaluate_personalizer(
    raw: RawFiles,
    settings: Settings,
    *,
    steps: int = STEPS,
    keep: Path | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Train on some shoppers and measure on others, everything from raw files.

    The home is removed at the end, unless `keep` says where to leave it.
    """
    observer, began = observer or Silent(), time.monotonic()
    with scratch(keep) as home, peak() as memory:
        settings = apart(settings, home, hidden=True)
        ran = run(settings, raw=raw, until=UNTIL, observer=observer)
        observer.event(STAGE, "start")
        catalogue = catalogue_of(ran.artifacts)
        people = part(
            catalogue,
            shoppers_at(ran.artifacts, "serve", catalogue),
            half_life=settings.features.embedding.half_life_purchases,
            most=HELD_OUT,
            seed=settings.seed,
        )
        config = replace(settings.personalizer.hypernet, steps=steps)
        subject = Subject(catalogue, people, settings, config)
        lm, taught = language_model(subject, home / "personalizer", observer)
        result = measure(subject, lm, taught, observer)
        observer.event(STAGE, "done")
    return result | {
        "seconds": ran.seconds,
        "seconds_total": round(time.monotonic() - began, 2),
        "peak_mib": memory.mib,
        "settings": {key: value for key, value in dump(settings).items() if key != "home"},
    }


def language_model(
    subject: Subject, folder: Path, observer: Observer
) -> tuple[load.LanguageModel, float]:
    """The base model, and the seconds it took: no history of anybody held out is in it."""
    config: LMConfig = subject.settings.personalizer.lm
    if config.name != "tiny":
        return load.load(config.name, config), 0.0
    began, out = time.monotonic(), folder / "lm"
    out.mkdir(parents=True, exist_ok=True)
    observer.event(STAGE, "method", "pretrain")
    tiny.pretrain(
        texts_of(subject.catalogue, subject.people.teachers),
        replace(config, max_steps=max(config.max_steps, LM_STEPS)),
        seed=subject.seed,
        out=out,
        progress=lambda done, total: observer.progress(STAGE, done, total),
    )
    return load.load(str(out), config), time.monotonic() - began


def measure(
    subject: Subject, lm: load.LanguageModel, taught: float, observer: Observer
) -> dict[str, Any]:
    """Train P2P and the others, ask them all, and time them."""
    seed, shelf = subject.seed, subject.shelf()
    vectors, titles, _ = subject.pairs()
    observer.event(STAGE, "method", "p2p")
    began = time.monotonic()
    network, learned = train(
        lm, vectors, titles, subject.hypernet, seed=seed, shelf=shelf,
        progress=lambda done, total: observer.progress(STAGE, done, total),
    )  # fmt: skip
    seconds = time.monotonic() - began
    settings = MethodSettings(subject.hypernet, shelf=shelf)
    p2p = P2P.of(lm, network, settings)
    others = trained(
        p2p, lessons_of(vectors, titles, seed), settings, seed,
        lambda name: observer.event(STAGE, "method", name),
    )  # fmt: skip
    asked = subject.people.asked
    questions = {
        name: questions_of(subject.catalogue, group, subject.tastes)
        for name, group in asked.items()
    }
    few = questions["random"][:OPPU_SHOPPERS]
    told = {"p2p": ask(p2p, asked["random"], questions["random"], seed)}
    for name, method in others.items():
        observer.event(STAGE, "method", f"{name}, asked")
        some = few if isinstance(method, Oppu) else questions["random"]
        told[name] = ask(method, asked["random"], some, seed)
    against = controls(p2p, asked["random"], questions["random"], seed)
    ood = {
        "p2p": ask(p2p, asked["ood"], questions["ood"], seed),
        "base": ask(others["base"], asked["ood"], questions["ood"], seed),
    }
    oppu = others["oppu"]
    assert isinstance(oppu, Oppu)
    everybody = others["mt_lora"]
    assert isinstance(everybody, MtLora)
    bought = [subject.catalogue.titles[item] for item in asked["random"].questions.answers]
    verdict = prove(
        lm, network, subject.tastes.of(asked["random"].shoppers),
        bought,
        shelf=shelf, seed=seed, rivals={"mt_lora": everybody.losses(bought)},
    )  # fmt: skip
    validation = ask(p2p, asked["validation"], questions["validation"], seed)
    return {
        "n_users": len(asked["random"]),
        "train_seconds": round(taught + seconds, 2),
        "methods": {name: told[name].figures() for name in ORDER},
        "controls": {name: _short(each) for name, each in against.items()},
        "splits": {
            "random": {name: _short(told[name]) for name in ("p2p", "base")},
            "ood": {name: _short(each) for name, each in ood.items()},
        },
        "oppu_seconds_per_user": round(own_adapters(oppu, few[:20]), 4),
        **timings(subject.settings.personalizer.lm, subject.hypernet),
        "paired": _paired(told, against, seed),
        "embedding_alone": _embedding_alone(subject, seed),
        "calibration": _calibration(validation, asked["validation"], told["p2p"], asked["random"]),
        "proof": verdict.document(),
        "teachers": len(subject.people.teachers),
        "n_validation": len(asked["validation"]),
        "validation": _short(validation),
        "n_ood": len(asked["ood"]),
        "oppu_users": len(few),
        "pretrain_seconds": round(taught, 2),
        "hypernet_seconds": round(seconds, 2),
        "learned": learned,
    }


def _short(told: Told) -> dict[str, Any]:
    """Accuracy and interval."""
    return accuracy(told.hits, told.seed)


def _paired(
    told: Mapping[str, Told], against: Mapping[str, Told], seed: int
) -> dict[str, dict[str, Any]]:
    """P2P minus every other and minus its controls, on the shoppers that both were asked of."""
    own = told["p2p"].hits
    rest = {name: each.hits for name, each in {**told, **against}.items() if name != "p2p"}
    return {name: minus(own[: len(hits)], hits, seed) for name, hits in rest.items()} | {
        "shuffled_minus_mt_lora": minus(against["shuffled"].hits, told["mt_lora"].hits, seed)
    }


def _embedding_alone(subject: Subject, seed: int) -> dict[str, Any]:
    """What the embedding reaches that P2P is given, compared with the options' directly."""
    group = subject.people.asked["random"]
    options = np.asarray(subject.catalogue.vectors)[group.questions.options]  # (N, K, D)
    scores = np.einsum("nd,nkd->nk", group.shoppers.vectors, options)
    return accuracy((scores.argmax(axis=1) == group.questions.right).astype(np.float64), seed)


def _calibration(validation: Told, taught: Group, told: Told, asked: Group) -> dict[str, float]:
    """The temperature that fits on validation, and how honest confidence is with it on test."""
    fitted = calibrate(validation.scores, taught.questions.right)
    right = asked.questions.right
    return {
        "temperature": round(fitted.temperature, 4),
        "ece_before": round(expected_calibration_error(softmax(told.scores), right), 4),
        "ece": round(
            expected_calibration_error(softmax(told.scores, fitted.temperature), right), 4
        ),
    }
