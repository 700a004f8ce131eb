"""What is learned from a purchase: its title, or to tell it from what was not bought.

A title's own likelihood teaches mostly how titles go; which of several is hers teaches whose taste
it is (docs/decisions/0023).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from personalizer.config import HypernetConfig
from personalizer.errors import TrainingError, extra
from personalizer.lm.likelihood import Titles, batches_by_length
from personalizer.lm.load import LanguageModel

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Choose", "Goal", "Tell", "goal_of"]

Longs = NDArray[np.int64]
BAND = 64  # titles of like length to draw from, at least
TOKENS = 4096  # at once, where nothing is learned


class Goal(Protocol):
    """A loss on purchases, under whatever adapters are in use."""

    @property
    def lengths(self) -> Longs:
        """Tokens of each purchase's title (N,)."""

    def loss(
        self, lm: LanguageModel, rows: Longs, rng: np.random.Generator, soft: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Mean loss to learn by of some purchases, behind soft tokens (B, S, H); and tokens."""

    def judge(self, lm: LanguageModel, rows: Longs) -> Tensor:
        """Loss of each of some purchases (B,): the same rows are always judged alike."""


def goal_of(
    lm: LanguageModel, bought: Sequence[str], shelf: Sequence[str], config: HypernetConfig
) -> Goal:
    """Tell what was bought from the rest of the shelf; without one, tell its title."""
    if shelf and config.others:
        return Choose.of(lm, bought, shelf, config)
    return Tell(Titles.of(lm, bought), config.label_smoothing)


@dataclass(frozen=True, eq=False)
class Tell:
    """Tell the title bought."""

    titles: Titles  # (N,)
    smoothing: float = 0.0

    @property
    def lengths(self) -> Longs:
        """Tokens of each purchase's title (N,)."""
        return self.titles.lengths

    def loss(
        self,
        lm: LanguageModel,
        rows: Longs,
        rng: np.random.Generator,  # noqa: ARG002 - nothing is drawn
        soft: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        """Mean negative log-likelihood per token."""
        nll = self.titles.nll(lm, rows, smoothing=self.smoothing, soft=soft)
        return nll.mean(), int(self.lengths[rows].sum())

    def judge(self, lm: LanguageModel, rows: Longs) -> Tensor:
        """Negative log-likelihood per token (B,)."""
        return self.titles.nll(lm, rows)


@dataclass(frozen=True, eq=False)
class Choose:
    """Tell what was bought from others of the shelf.

    The score is the one that serves: log-probability per token with the adapter minus without.
    """

    titles: Titles  # each text once (I)
    bare: Tensor  # (I,) mean negative log-likelihood per token
    own: Longs  # (N,) place of what was bought
    shelf: Longs  # (S,) places of what may stand beside it, from short to long
    config: HypernetConfig

    @classmethod
    def of(
        cls,
        lm: LanguageModel,
        bought: Sequence[str],
        shelf: Sequence[str],
        config: HypernetConfig,
    ) -> Self:
        """Tokenise, and ask the bare model once."""
        place: dict[str, int] = {}
        others = {place.setdefault(title, len(place)) for title in shelf if title.strip()}
        if len(others) <= config.others:
            raise TrainingError(
                f"a shelf of {len(others)} titles to draw {config.others} others from",
                where="titles to choose among",
                fix="give more of the catalogue, or lower personalizer.hypernet.others",
            )
        own = [place.setdefault(title, len(place)) for title in bought]
        titles = Titles.of(lm, list(place))
        by_length = np.argsort(titles.lengths[: len(others)], kind="stable")
        return cls(titles, _bare(lm, titles), np.array(own, np.int64), by_length, config)

    @property
    def lengths(self) -> Longs:
        """Tokens of each purchase's title (N,)."""
        return self.titles.lengths[self.own]

    def loss(
        self,
        lm: LanguageModel,
        rows: Longs,
        rng: np.random.Generator,
        soft: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        """Mean loss of the choices, and a little of telling the titles."""
        places = self.drawn(rows, rng)  # (B, K)
        if soft is not None:
            soft = soft.repeat_interleave(places.shape[1], dim=0)
        nll = self.nll(lm, places, soft)
        loss = self.losses(nll, places).mean() + self.config.tell * nll[:, 0].mean()
        return loss, int(self.titles.lengths[places].sum())

    def judge(self, lm: LanguageModel, rows: Longs) -> Tensor:
        """How far each is from being chosen (B,): the same rows meet the same others."""
        places = self.drawn(rows, np.random.default_rng(rows.tolist()))
        return self.losses(self.nll(lm, places), places)

    def drawn(self, rows: Longs, rng: np.random.Generator) -> Longs:
        """What was bought, first, and as many others of like length: places (B, 1 + others).

        Like length saves padding, and leaves nothing to tell by length. By chance an other may be
        something else she bought; few are.
        """
        own, lengths = self.own[rows], self.titles.lengths
        sorted_lengths = lengths[self.shelf]
        low = int(np.searchsorted(sorted_lengths, lengths[own].min(), "left"))
        high = int(np.searchsorted(sorted_lengths, lengths[own].max(), "right"))
        lack = max(0, BAND - (high - low))  # then titles a little shorter and longer do as well
        low, high = max(0, low - lack // 2 - 1), min(len(self.shelf), high + lack // 2 + 1)
        some = self.shelf[rng.integers(low, high, (len(rows), self.config.others))]
        places: Longs = np.concatenate([own[:, None], some], axis=1)
        return places

    def nll(self, lm: LanguageModel, places: Longs, soft: Tensor | None = None) -> Tensor:
        """Negative log-likelihood per token of drawn titles (B, K), as the model stands."""
        return self.titles.nll(lm, places.reshape(-1), soft=soft).view(places.shape)

    def losses(self, nll: Tensor, places: Longs) -> Tensor:
        """How far each shopper (B,) is from choosing what she bought."""
        flat = torch.from_numpy(places.reshape(-1)).to(self.bare.device)
        gain = self.bare[flat].view(nll.shape) - nll  # (B, K)
        right = torch.zeros(len(nll), dtype=torch.long, device=nll.device)
        return torch.nn.functional.cross_entropy(
            self.config.sharpness * gain, right, reduction="none"
        )


@torch.no_grad()
def _bare(lm: LanguageModel, titles: Titles) -> Tensor:
    """What the bare model says of titles: (I,)."""
    told = torch.zeros(len(titles), device=titles.ids.device)
    for batch in batches_by_length(titles.lengths + 1, TOKENS):
        told[torch.from_numpy(batch).to(told.device)] = titles.nll(lm, batch).float()
    return told
