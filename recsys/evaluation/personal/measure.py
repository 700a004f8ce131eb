"""Every way of personalising on the same questions: taught by some, asked of the others."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from personalizer.methods import Lesson, Method, MethodSettings, Question, methods
from personalizer.methods.by_peft import Oppu
from personalizer.methods.p2p import P2P
from recsys.arrays import Floats
from recsys.catalogue import Catalogue
from recsys.evaluation.intervals import difference_interval, mean_interval
from recsys.evaluation.metrics import Numbers
from recsys.evaluation.personal.people import Group
from recsys.evaluation.preference.figures import cleaned, picks
from recsys.evaluation.preference.histories import profiles_of
from recsys.tastes import Tastes

CHUNK = 128
BASELINE_SHARE = 0.25  # of the hypernetwork's steps; what has far less to learn is done by then
LESSONS = 40_000  # of a baseline, at most
OPPU_SHOPPERS = 200  # who get an adapter of their own: each is trained alone

Observe = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Told:
    """What a method scored, whether it was right, and how long it took."""

    scores: Floats  # (N, K)
    hits: Numbers  # (N,)
    seconds: float
    seed: int

    def figures(self) -> dict[str, Any]:
        """Accuracy, its interval, the time of a question."""
        return accuracy(self.hits, self.seed) | {
            "ms_per_question": round(1000 * self.seconds / max(1, len(self.hits)), 3)
        }


def accuracy(hits: Numbers, seed: int) -> dict[str, Any]:
    """A share and its 95 % interval over shoppers."""
    interval = mean_interval(hits, seed=seed)
    return {"accuracy": round(interval.mean, 4), "ci": [round(b, 4) for b in interval.bounds]}


def minus(ours: Numbers, theirs: Numbers, seed: int) -> dict[str, Any]:
    """How much more often one is right than the other, on the same shoppers."""
    interval = difference_interval(ours, theirs, seed=seed)
    return {"accuracy_diff": round(interval.mean, 4), "ci": [round(b, 4) for b in interval.bounds]}


def questions_of(catalogue: Catalogue, group: Group, tastes: Tastes) -> list[Question]:
    """A group's questions as the ways of personalising take them."""
    titles, shoppers = catalogue.titles, group.shoppers
    embeddings = tastes.of(shoppers)
    told = profiles_of(catalogue, shoppers)
    return [
        Question(
            np.asarray(embeddings[row], np.float32),
            told[row],
            tuple(titles[item] for item in shoppers.history(row) if titles[item]),
            "",
            tuple(titles[item] for item in options),
        )
        for row, options in enumerate(group.questions.options)
    ]


def lessons_of(vectors: Floats, titles: Sequence[str], seed: int) -> list[Lesson]:
    """Some of the teachers' purchases."""
    rows = np.random.default_rng([seed, 22]).permutation(len(titles))[:LESSONS]
    return [Lesson(Question(vectors[row], "", (), "", ()), titles[row]) for row in rows.tolist()]


def ask(method: Method, group: Group, questions: Sequence[Question], seed: int) -> Told:
    """Score questions in parts, and see what was right; a tie is broken by a seeded draw."""
    began = time.perf_counter()
    starts = range(0, len(questions), CHUNK)
    parts = [method.score(questions[start : start + CHUNK]) for start in starts]
    seconds = time.perf_counter() - began
    scores = cleaned(np.concatenate(parts))
    ties = np.random.default_rng([seed, 23]).random(scores.shape)
    hits = (picks(scores, ties) == group.questions.right[: len(scores)]).astype(np.float64)
    return Told(scores.astype(np.float32), hits, seconds, seed)


def trained(
    p2p: P2P, lessons: Sequence[Lesson], settings: MethodSettings, seed: int, observe: Observe
) -> dict[str, Method]:
    """All ways beside P2P, those that learn taught by the same purchases."""
    fewer = replace(
        settings.hypernet, steps=max(1, round(BASELINE_SHARE * settings.hypernet.steps))
    )
    made: dict[str, Method] = {}
    for name, kind in methods().items():
        if name == p2p.name:
            continue
        observe(name)
        method = kind(p2p.lm, replace(settings, hypernet=fewer))
        if isinstance(method, P2P):  # another prompt, the same adapters
            method = type(method).of(p2p.lm, _network(p2p), settings)
        else:
            method.fit(lessons, seed=seed)
        made[name] = method
    return made


def _network(p2p: P2P) -> Any:
    assert p2p.hypernet is not None
    return p2p.hypernet


def controls(
    p2p: P2P, group: Group, questions: Sequence[Question], seed: int
) -> Mapping[str, Told]:
    """The same questions with another shopper's embedding, a random one of the same law, none."""
    vectors = np.stack([question.embedding for question in questions])
    rng = np.random.default_rng([seed, 24])
    cycle = rng.permutation(len(vectors))  # a cycle: nobody keeps her own
    shuffled = np.empty_like(vectors)
    shuffled[cycle] = vectors[np.roll(cycle, 1)]
    drawn = rng.normal(size=vectors.shape) * vectors.std(axis=0) + vectors.mean(axis=0)
    others = {
        "shuffled": shuffled,
        "random": drawn.astype(np.float32),
        "zero": np.zeros_like(vectors),
    }
    return {
        name: ask(p2p, group, with_embeddings(questions, other), seed)
        for name, other in others.items()
    }


def with_embeddings(questions: Sequence[Question], vectors: Floats) -> list[Question]:
    """The same questions of shoppers with other embeddings."""
    return [
        replace(question, embedding=vector)
        for question, vector in zip(questions, vectors, strict=True)
    ]


def own_adapters(oppu: Oppu, questions: Sequence[Question]) -> float:
    """Seconds that an adapter of one's own takes to train."""
    began = time.perf_counter()
    oppu.adapters(questions)
    return (time.perf_counter() - began) / max(1, len(questions))
