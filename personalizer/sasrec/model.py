"""The network, and the scores of a trained one."""

from dataclasses import dataclass, field

from personalizer.errors import extra

with extra("llm"):
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.nn import functional as F  # noqa: N812

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
ROWS = 64  # scored at once; always this many, so that a row comes out the same in any company


@dataclass(frozen=True)
class SasRecConfig:
    """The model and its training."""

    width: int = 64
    heads: int = 2
    blocks: int = 2
    length: int = 50  # an older purchase is not seen
    dropout: float = 0.4
    temperature: float = 0.05  # of the softmax over cosines
    learning_rate: float = 2e-3
    batch_positions: int = 512  # purchases per step, padding included
    epochs: int = 200
    patience: int = 5  # epochs without a better NDCG on the held-out
    held_out: float = 0.1  # share of the histories whose last purchase decides when to stop
    full_softmax: int = 5_000  # items; a larger catalogue is sampled, several times faster
    negatives: int = 1024  # drawn per step from a larger catalogue
    minutes: float = 12.0  # of training; then the best so far is kept


class _Block(nn.Module):
    """Attention and a feed-forward layer, each with the norm first."""

    def __init__(self, config: SasRecConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.dropout = config.heads, config.dropout
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
        )
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # (B, L, D), (B, 1, L, L)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, L, D / H)
            for part in self.qkv(self.before(x)).chunk(3, dim=-1)
        )
        drop = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=drop)
        x = x + self.drop(self.out(seen.transpose(1, 2).flatten(2)))
        fed: Tensor = x + self.drop(self.feed(self.between(x)))
        return fed


class Net(nn.Module):
    """From items (B, L), padded on the left, to what is expected after each (B, L, D)."""

    def __init__(self, n_items: int, config: SasRecConfig) -> None:
        super().__init__()
        self.n_items, self.temperature = n_items, config.temperature
        self.items = nn.Embedding(n_items + 1, config.width, padding_idx=n_items)  # last: padding
        self.places = nn.Parameter(torch.empty(config.length, config.width))  # last: the newest
        nn.init.normal_(self.items.weight, std=0.02)
        nn.init.normal_(self.places, std=0.02)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, items: Tensor) -> Tensor:
        """Vectors of what is expected, divided by the temperature."""
        length = items.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        itself = torch.eye(length, dtype=torch.bool)  # padding has to look at something
        mask = (causal & (items != self.n_items)[:, None]) | itself  # (B, L, L)
        x = self.drop(self.items(items) + self.places[-length:])
        for block in self.blocks:
            x = block(x, mask[:, None])
        return F.normalize(self.norm(x), dim=-1) / self.temperature

    def logits(self, expected: Tensor) -> Tensor:
        """Scores of all items for what is expected: (N, D) to (N, I)."""
        return expected @ F.normalize(self.items.weight[: self.n_items], dim=-1).T

    def directions(self, items: Tensor) -> Tensor:
        """Items as vectors of length one: (N) to (N, D)."""
        return F.normalize(self.items(items), dim=-1)


@dataclass(eq=False)
class SasRec:
    """A trained model, and how its training went."""

    net: Net
    config: SasRecConfig
    ndcg: list[float] = field(default_factory=list)  # of the held-out, per epoch
    stopped: str = ""  # why training ended

    @torch.no_grad()
    def scores(self, indptr: Longs, items: Ints) -> NDArray[np.float32]:
        """Score every item as the next of each history (U, I); higher is likelier."""
        self.net.eval()
        ends = indptr[1:]
        out = np.empty((len(ends), self.net.n_items), np.float32)
        for start in range(0, len(ends), ROWS):
            rows = np.minimum(np.arange(start, start + ROWS), len(ends) - 1)  # the last fills up
            laid = lay_out(indptr[rows], ends[rows], items, self.config.length, self.net.n_items)
            hidden = self.net(torch.from_numpy(laid))[:, -1]
            part = self.net.logits(hidden).numpy()
            out[start : start + ROWS] = part[: len(ends) - start]
        return out


def lay_out(starts: Longs, ends: Longs, items: Ints, width: int, blank: int) -> Longs:
    """Lay out the last items of histories as (B, width), padded on the left."""
    at = ends[:, None] - width + np.arange(width)
    real = at >= starts[:, None]
    laid = np.full(at.shape, blank, np.int64)
    laid[real] = items[at[real]]
    return laid
