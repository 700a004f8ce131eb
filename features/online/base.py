"""What every online store can do: read rows, change rows under a lock, erase rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from features.online.layout import Row, Stored, View

Found = Mapping[str, Mapping[bytes, Stored]]
"""Rows by view and key; a row that is not there has no entry."""

Changes = Mapping[str, Sequence[Row]]
"""Rows to write, by view."""


class OnlineStore(ABC):
    """One online store, which Feast can read. Not for use by several threads at once."""

    def __init__(self, project: str) -> None:
        self.project = project

    def order(self, key: bytes) -> Any:
        """What keys are sorted by so that those which stand together are written together."""
        return key

    @abstractmethod
    def read(self, views: Sequence[View], keys: Sequence[bytes]) -> Found:
        """Read rows of several views by their keys."""

    @abstractmethod
    def change(
        self,
        views: Sequence[View],
        keys: Sequence[bytes],
        decide: Callable[[Found], Changes],
    ) -> Changes:
        """Read rows, decide on them, and write what was decided, all or nothing.

        Nobody else's change comes between. `decide` may be asked again, if somebody was faster.
        """

    @abstractmethod
    def erase(self, views: Sequence[View], key: bytes) -> Mapping[str, int]:
        """Remove a key's rows, and tell how many features were removed per view."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""
