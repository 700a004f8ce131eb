"""The training: histories in seeded batches, a few held out to say when to stop."""

import logging
import time
from collections.abc import Callable, Iterator

from personalizer.errors import TrainingError, extra
from personalizer.sasrec.model import ROWS, Ints, Longs, Net, SasRec, SasRecConfig, lay_out

with extra("llm"):
    import numpy as np
    import torch
    from torch import Tensor
    from torch.nn import functional as F  # noqa: N812

log = logging.getLogger(__name__)

HELD_OUT_MOST = 4096
CUT = 10  # of the NDCG that decides when to stop


def train(
    indptr: Longs,
    items: Ints,
    n_items: int,
    config: SasRecConfig | None = None,
    *,
    times: Longs | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SasRec:
    """Train on histories until the held-out get no better, or the minutes are over.

    Purchases of the same of the `times` are shuffled in every epoch: any fixed order of them, be it
    of a hash, would be learnt and then expected of the next purchase, where it does not hold.
    The outcome is the same for a seed on the same number of threads, unless the clock ends it.
    """
    config = config or SasRecConfig()
    if not (np.diff(indptr) > 1).any():
        raise TrainingError("no history has two purchases", where="sasrec", fix="give longer ones")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        moments = np.arange(len(items)) if times is None else times
        run = _Run(SasRec(Net(n_items, config), config), indptr, items, moments, seed)
        run.fit(progress)
    log.info("sasrec: %d epochs, %s", len(run.model.ndcg), run.model.stopped)
    return run.model


class _Run:
    """One training: what is learnt from, what is held out, and the clock."""

    def __init__(self, model: SasRec, indptr: Longs, items: Ints, times: Longs, seed: int) -> None:
        self.model, self.net, self.config = model, model.net, model.config
        self.indptr, self.ends = indptr, indptr[1:].copy()
        self.rng = np.random.default_rng([seed, 3])
        self.at_once = _at_once(indptr, times)
        self.items = self._shuffled(items)
        # only a share is held out, so that the newest purchases of most shoppers, the best there
        # is to learn from, are not lost; two purchases must be left to learn from
        able = self.rng.permutation(np.flatnonzero(np.diff(indptr) > 2))
        self.held = able[: min(int(len(able) * self.config.held_out), HELD_OUT_MOST)]
        self.ends[self.held] -= 1
        alone = np.zeros(len(items) + 1, np.int64)
        alone[self.ends[self.held]] = 1  # what is held out is shuffled no more
        self.at_once = self.at_once + np.cumsum(alone)[:-1]
        self.rows = np.flatnonzero(self.ends - indptr[:-1] > 1)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.config.learning_rate)
        self.deadline = time.monotonic() + 60 * self.config.minutes

    def fit(self, progress: Callable[[int, int], None] | None) -> None:
        """Run the epochs; keep the weights that were best for the held-out."""
        model, config = self.model, self.config
        best, kept = -1.0, self._weights()
        for epoch in range(config.epochs):
            model.stopped = "all epochs run"
            whole = self._epoch()
            model.ndcg.append(self._ndcg())
            log.debug("sasrec: epoch %d, held-out NDCG@10 %.4f", epoch + 1, model.ndcg[-1])
            if model.ndcg[-1] >= best:
                best, kept = model.ndcg[-1], self._weights()
            if progress:
                progress(epoch + 1, config.epochs)
            if not whole:
                model.stopped = f"out of time: {config.minutes:g} minutes"
                break
            if len(model.ndcg) - 1 - int(np.argmax(model.ndcg)) >= config.patience and best > 0:
                model.stopped = f"no better for {config.patience} epochs"
                break
        self.net.load_state_dict(kept)
        self.net.eval()

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.net.state_dict().items()}

    def _epoch(self) -> bool:
        """Learn from every history once; false: the time was over before."""
        self.net.train()
        self.items = self._shuffled(self.items)
        for rows in self._batches():
            if time.monotonic() > self.deadline:
                return False
            loss = self._loss(rows)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if not bool(loss.isfinite()):
                raise TrainingError("diverged", where="sasrec", fix="lower its learning rate")
        return True

    def _shuffled(self, items: Ints) -> Ints:
        """Histories in which purchases of one moment stand in a new order."""
        return items[np.lexsort((self.rng.random(len(items)), self.at_once))]

    def _batches(self) -> Iterator[Longs]:
        """Histories of like length, about as many purchases in each batch, in seeded order."""
        rows = self.rng.permutation(self.rows)
        lengths = np.minimum(self.ends[rows] - self.indptr[rows] - 1, self.config.length)
        order = np.argsort(lengths, kind="stable")  # equal lengths stay in random order
        batch = (np.cumsum(lengths[order]) - 1) // self.config.batch_positions
        parts = np.split(rows[order], np.flatnonzero(np.diff(batch)) + 1)
        for at in self.rng.permutation(len(parts)):
            yield parts[at]

    def _loss(self, rows: Longs) -> Tensor:
        """Cross-entropy of what follows each purchase."""
        longest = int((self.ends[rows] - self.indptr[rows]).max())
        width = min(longest, self.config.length + 1)
        laid = lay_out(self.indptr[rows], self.ends[rows], self.items, width, self.net.n_items)
        past, then = torch.from_numpy(laid[:, :-1]), torch.from_numpy(laid[:, 1:])
        real = past != self.net.n_items
        hidden, wanted = self.net(past)[real], then[real]  # (N, D), (N,)
        if self.net.n_items <= self.config.full_softmax:
            return F.cross_entropy(self.net.logits(hidden), wanted)
        return self._sampled(hidden, wanted)

    def _sampled(self, hidden: Tensor, wanted: Tensor) -> Tensor:
        """Softmax over the wanted item and negatives that stand for all the others."""
        drawn = torch.randint(self.net.n_items, (self.config.negatives,))
        right = (hidden * self.net.directions(wanted)).sum(-1, keepdim=True)  # (N, 1)
        wrong = hidden @ self.net.directions(drawn).T  # (N, K)
        wrong = wrong + float(np.log(self.net.n_items / len(drawn)))
        wrong = wrong.masked_fill(drawn == wanted[:, None], -torch.inf)
        first = torch.zeros(len(wanted), dtype=torch.long)
        return F.cross_entropy(torch.cat((right, wrong), dim=1), first)

    @torch.no_grad()
    def _ndcg(self) -> float:
        """NDCG@10 of the last purchases held out, each history itself left out of the ranking."""
        self.net.eval()
        total = 0.0
        for rows in np.split(self.held, range(ROWS * 4, len(self.held), ROWS * 4)):
            ends, length = self.ends[rows], self.config.length
            laid = torch.from_numpy(
                lay_out(self.indptr[rows], ends, self.items, length, self.net.n_items)
            )
            wanted = torch.from_numpy(self.items[ends].astype(np.int64))[:, None]
            scores = self.net.logits(self.net(laid)[:, -1])
            goal = scores.gather(1, wanted)
            scores = F.pad(scores, (0, 1)).scatter_(1, laid, -torch.inf)[:, :-1]
            rank = (scores.scatter_(1, wanted, -torch.inf) >= goal).sum(1)  # ties count against
            total += float((1 / torch.log2(rank + 2.0))[rank < CUT].sum())
        return total / max(1, len(self.held))


def _at_once(indptr: Longs, times: Longs) -> Longs:
    """Number the moments of all histories; purchases of one moment share the number."""
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    new = np.ones(len(times), np.int64)
    new[1:] = (np.diff(rows) != 0) | (np.diff(times) != 0)
    moments: Longs = np.cumsum(new)
    return moments
