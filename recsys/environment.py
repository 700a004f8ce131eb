"""What is installed here, and what must never be installed together."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version

from recsys.errors import ConflictError

# each pair installs files into the same folder: pip does not complain, and they overwrite each other
CONFLICTS = (
    ("pyspark", "pyspark-client", "pyspark", "apache-airflow-providers-apache-spark brings it"),
    ("faiss-cpu", "faiss-gpu", "faiss", "extras `recsys` and `gpu` exclude each other"),
)

# one distribution that tells whether an extra is there
EXTRAS = {
    "features": ("feast", "pyspark", "pandera"),
    "recsys": ("faiss-cpu", "lightgbm", "scikit-learn", "bm25s"),
    "llm": ("torch", "transformers", "peft", "accelerate", "safetensors"),
    "airflow": ("apache-airflow",),
    "serve": ("fastapi", "uvicorn"),
    "report": ("jinja2", "matplotlib"),
    "gpu": ("faiss-gpu",),
}


@dataclass(frozen=True)
class Package:
    """One package of an extra; `version` is empty when it is not installed."""

    extra: str
    name: str
    version: str


def installed(name: str) -> bool:
    """Whether a distribution is installed."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def check() -> None:
    """Refuse an environment in which two packages overwrite each other's files."""
    for one, other, module, why in CONFLICTS:
        if installed(one) and installed(other):
            raise ConflictError(
                f"{one} and {other} both install the module {module!r} ({why})",
                where="this environment",
                fix=f"pip uninstall -y {one} {other}, then install the one you need",
            )


def packages() -> list[Package]:
    """Every package of every extra, with its version."""
    return [
        Package(extra, name, version(name) if installed(name) else "")
        for extra, names in EXTRAS.items()
        for name in names
    ]
