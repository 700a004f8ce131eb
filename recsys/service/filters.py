"""What a caller does not want on a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from recsys.arrays import PAD, Bools
from recsys.catalogue import Catalogue

log = structlog.get_logger(__name__)


class Stock:
    """Items that are out of stock, from a file that the shop may replace at any time."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._gone: frozenset[str] = frozenset()

    @property
    def gone(self) -> frozenset[str]:
        """Their ids; without a file nothing is known to be out of stock."""
        if self._path is None:
            return self._gone
        try:
            told = self._path.stat()
            if (stamp := (told.st_mtime_ns, told.st_size)) != self._stamp:
                lines = self._path.read_text(encoding="utf-8").splitlines()
                self._gone, self._stamp = frozenset(filter(None, map(str.strip, lines))), stamp
        except (OSError, ValueError) as error:  # what was read last still holds
            log.warning("stock_unreadable", error=str(error))
        return self._gone


@dataclass(frozen=True)
class Filters:
    """What narrows a list down."""

    exclude: Sequence[str] = ()
    category: str | None = None
    in_stock: bool = False

    @property
    def any(self) -> bool:
        """Whether there is anything to leave out."""
        return bool(self.exclude or self.category is not None or self.in_stock)

    def allowed(self, catalogue: Catalogue, stock: Stock) -> Bools | None:
        """The items (I,) that may stand on the list; None: all."""
        if not self.any:
            return None
        allowed = (
            np.ones(len(catalogue), bool)
            if self.category is None
            else catalogue.in_category(self.category)
        )
        left_out = [*self.exclude, *(stock.gone if self.in_stock else ())]
        at = catalogue.positions(left_out)
        allowed[at[at != PAD]] = False
        return allowed
