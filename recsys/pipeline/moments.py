"""The moments of a run, as the features stage wrote them down."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

NAMES = ("early", "train", "validate", "eval", "serve")
FILE = "moments.json"


@dataclass(frozen=True)
class RunMoments:
    """Where history ends for two lessons, for deciding, for measuring and for serving.

    By leave-one-out all are the midnight after the data: each shopper has cuts of her own.
    """

    early: datetime
    train: datetime
    validate: datetime
    eval: datetime
    serve: datetime
    protocol: str = "temporal"
    mode: str = "refreshed"

    @property
    def names(self) -> tuple[str, ...]:
        """The moments that have features; by leave-one-out there is none to serve at."""
        return NAMES if self.protocol == "temporal" else NAMES[:-1]

    @classmethod
    def read(cls, features: Path) -> Self:
        """Read them from a features artifact."""
        document = json.loads((features / FILE).read_text(encoding="utf-8"))
        moments = {name: datetime.fromisoformat(document[name]) for name in NAMES}
        return cls(**(document | moments))

    def write(self, features: Path) -> None:
        """Write them beside the features."""
        moments = {name: getattr(self, name).isoformat() for name in NAMES}
        (features / FILE).write_text(json.dumps(asdict(self) | moments), encoding="utf-8")
