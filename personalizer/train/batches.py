"""Which lessons are learned together."""

from personalizer.errors import extra

with extra("llm"):
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Batches"]


class Batches:
    """Full batches in seeded order, each of titles of like length: less padding."""

    def __init__(
        self, rows: NDArray[np.int64], lengths: NDArray[np.int64], size: int, seed: int
    ) -> None:
        self._rows, self._lengths, self._size, self._seed = rows, lengths, size, seed
        self._repeats = -(-size // len(rows))  # of few rows, to fill a batch
        self._each = self._repeats * len(rows) // size  # batches of a pass
        self._pass = -1
        self._batches: NDArray[np.int64] = np.zeros((0, size), np.int64)

    def __getitem__(self, step: int) -> NDArray[np.int64]:
        """The batch of a step, whichever came before."""
        if step // self._each != self._pass:
            self._pass = step // self._each
            self._batches = self._shuffled(np.random.default_rng([self._seed, 2, self._pass]))
        batch: NDArray[np.int64] = self._batches[step % self._each]
        return batch

    def _shuffled(self, rng: np.random.Generator) -> NDArray[np.int64]:
        pool = np.concatenate([rng.permutation(self._rows) for _ in range(self._repeats)])
        pool = pool[: self._each * self._size]
        # equal lengths stay in their random order, so a batch's company changes every time
        order = np.argsort(self._lengths[pool], kind="stable")
        return rng.permutation(pool[order].reshape(-1, self._size))
