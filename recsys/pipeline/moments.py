"""The three moments of a run, as the features stage wrote them down."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

NAMES = ("train", "eval", "serve")
FILE = "moments.json"


@dataclass(frozen=True)
class RunMoments:
    """Where history ends for learning, for measuring and for serving."""

    train: datetime
    eval: datetime
    serve: datetime

    @classmethod
    def read(cls, features: Path) -> Self:
        """Read them from a features artifact."""
        document = json.loads((features / FILE).read_text(encoding="utf-8"))
        return cls(**{name: datetime.fromisoformat(document[name]) for name in NAMES})

    def write(self, features: Path) -> None:
        """Write them beside the features."""
        document = {name: getattr(self, name).isoformat() for name in NAMES}
        (features / FILE).write_text(json.dumps(document), encoding="utf-8")
