"""What the server does with a batch: one model, everybody's own adapters."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from personalizer.adapters import AdapterStore, Shopper
from personalizer.calibration import Calibration
from personalizer.errors import PersonalizerError, extra
from personalizer.export import adapter_name, export_folder
from personalizer.lm.load import LanguageModel
from personalizer.lm.prompts import chat_tokens, prompt_tokens
from personalizer.lora import Adapters, numbers_of, rows_of
from personalizer.scoring import CandidateScorer, generate, score_options

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["Engine", "Made", "Score", "Text", "Written", "out_of_memory"]

Scores = NDArray[np.float32]
REMEMBERED = 200_000  # texts whose score for nobody is kept


@dataclass(frozen=True, eq=False)
class Score:
    """Score options for a shopper: candidates by their text, or options by their labels."""

    shopper: Shopper
    texts: tuple[str, ...]
    prompt: str = ""
    by_label: bool = False

    @property
    def kind(self) -> str:
        """What may share a batch."""
        return f"options {len(self.texts)}" if self.by_label else "candidates"


@dataclass(frozen=True, eq=False)
class Text:
    """Go on with a conversation or a text; nobody's adapter without a shopper."""

    shopper: Shopper | None
    chat: tuple[tuple[str, str], ...]
    most: int
    plain: bool = False  # a text to go on with, not a conversation
    gone: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Written:
    """A generated text, and what it took."""

    text: str
    prompt_tokens: int
    tokens: int
    cut: bool  # by the limit, not by the model's end mark


@dataclass(frozen=True)
class Made:
    """An adapter that is at hand."""

    name: str
    version: str
    numbers: int
    folder: str | None


class Engine:
    """A language model, its hypernetwork, and what is known of the shoppers."""

    def __init__(
        self,
        lm: LanguageModel,
        store: AdapterStore,
        *,
        name: str,
        directory: Callable[[Sequence[str]], Mapping[str, Shopper]] = lambda _: {},
        encode: Callable[[Sequence[str]], Scores] | None = None,
        calibration: Calibration | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name, self.store, self.directory, self.encode = name, store, directory, encode
        self.calibration = calibration or Calibration()
        self._lm, self._folder = lm, folder
        self._adapted = store.hypernet.attach(lm.model)
        self._scorer = CandidateScorer(lm, self._adapted)
        self._common: OrderedDict[tuple[str, str], float] = OrderedDict()

    @property
    def user_dim(self) -> int:
        """Length of an embedding."""
        return self.store.hypernet.user_dim

    def warm_up(self) -> None:
        """Run everything once: the first caller must not wait for what is made lazily."""
        someone = Shopper("", np.ones(self.user_dim, np.float32))
        self.run("candidates", [Score(someone, ("a", "b"))])
        self.run("options 2", [Score(someone, ("a", "b"), by_label=True)])
        self.run("text", [Text(someone, (("user", "a"),), 1)])

    def run(self, kind: str, works: Sequence[Any]) -> Sequence[Any]:
        """Answer a batch of one kind."""
        if kind == "candidates":
            return list(self._candidates(works))
        if kind == "text":
            return self._texts(works)
        if kind == "adapters":
            return self._made(works)
        return list(self._options(works))

    def _candidates(self, works: Sequence[Score]) -> list[Scores]:
        """Mean log-probability per token with the shopper's adapter minus without."""
        adapters = self.store.adapters([work.shopper for work in works])
        told = self._told([(work.prompt, work.texts) for work in works], adapters)
        common = self._without(works)
        return [
            (row[: len(work.texts)] - np.array([common[work.prompt, t] for t in work.texts]))
            * bool(work.shopper.vector.any())  # of whom nothing is known: nothing either way
            for row, work in zip(told, works, strict=True)
        ]

    def _told(
        self, asked: Sequence[tuple[str, Sequence[str]]], adapters: Adapters | None
    ) -> Scores:
        prompts = [
            prompt_tokens(self._lm, [prompt])[0] if prompt else [self._lm.start_id]
            for prompt, _ in asked
        ]
        return self._scorer.score(prompts, [self._lm.tokens(texts) for _, texts in asked], adapters)

    def _without(self, works: Sequence[Score]) -> dict[tuple[str, str], float]:
        """Scores of texts after prompts without a shopper; remembered, as they are common."""
        asked = dict.fromkeys((work.prompt, text) for work in works for text in work.texts)
        new: dict[str, list[str]] = {}
        for prompt, text in asked:
            if (prompt, text) not in self._common:
                new.setdefault(prompt, []).append(text)
        if new:
            bare = self.store.hypernet.config.minus == "bare"
            told = self._told(list(new.items()), None if bare else self._nobody(len(new)))
            for (prompt, texts), row in zip(new.items(), told, strict=True):
                for text, score in zip(texts, row.tolist(), strict=False):
                    self._common[prompt, text] = score
        found = {key: self._common[key] for key in asked}
        for key in asked:
            self._common.move_to_end(key)
        while len(self._common) > REMEMBERED:
            self._common.popitem(last=False)
        return found

    def _nobody(self, rows: int) -> Adapters:
        """The zero vector's adapter, for so many rows."""
        nobody = Shopper("", np.zeros(self.user_dim, np.float32))
        return rows_of(self.store.adapters([nobody]), [0] * rows)

    def _options(self, works: Sequence[Score]) -> Scores:
        return score_options(
            self._lm,
            [work.prompt for work in works],
            [work.texts for work in works],
            adapted=self._adapted,
            adapters=self.store.adapters([work.shopper for work in works]),
        )

    def _texts(self, works: Sequence[Text]) -> list[Written]:
        """Go on with texts; those without a shopper go apart, with the bare model."""
        answers: dict[int, Written] = {}
        for bare in (False, True):
            rows = [row for row, work in enumerate(works) if (work.shopper is None) is bare]
            if rows:
                made = self._write([works[row] for row in rows])
                answers |= dict(zip(rows, made, strict=True))
        return [answers[row] for row in range(len(works))]

    def _write(self, works: Sequence[Text]) -> list[Written]:
        shoppers = [work.shopper for work in works if work.shopper is not None]
        prompts = [self._prompt(work) for work in works]
        most = max(work.most for work in works)
        rows = generate(
            self._lm,
            prompts,
            most=most,
            adapted=self._adapted,
            adapters=self.store.adapters(shoppers) if shoppers else None,
            stop=lambda: all(work.gone.is_set() for work in works),
        )
        return [
            Written(
                self._lm.tokenizer.decode(row[: work.most]),
                len(prompt),
                len(row[: work.most]),
                len(row) >= work.most,
            )
            for work, prompt, row in zip(works, prompts, rows, strict=True)
        ]

    def _prompt(self, work: Text) -> list[int]:
        if not work.plain:
            return chat_tokens(self._lm, [work.chat])[0]
        ids = self._lm.tokenizer(
            work.chat[0][1], add_special_tokens=False, split_special_tokens=True
        )["input_ids"]
        return [self._lm.start_id, *ids]

    def _made(self, shoppers: Sequence[Shopper]) -> list[Made]:
        """Make adapters, and write them as folders where the server has one."""
        adapters = self.store.adapters(shoppers)
        made = []
        for row, shopper in enumerate(shoppers):
            version = self.store.key(shopper).version
            name = adapter_name(shopper.id, version)
            folder = self._export(adapters, row, name) if self._folder is not None else None
            made.append(Made(name, version, numbers_of(adapters), folder))
        return made

    def _export(self, adapters: Adapters, row: int, name: str) -> str:
        assert self._folder is not None
        config = self.store.hypernet.config
        folder = self._folder / name
        return str(
            export_folder(
                adapters, row, adapted=self._adapted, config=config, base=self.name, folder=folder
            )
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch could have gone through."""
    if isinstance(error, PersonalizerError):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in said or "can't allocate memory" in said
    )
