"""Packages that overwrite each other are refused; a missing one names its extra."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.errors import MissingExtraError, extra
from recsys import environment
from recsys.errors import ConflictError

ROOT = Path(__file__).parent.parent.parent

# what may stand at a module's top only inside `with extra(...)`
HEAVY = {
    "bm25s", "faiss", "fastapi", "feast", "jinja2", "lightgbm", "matplotlib", "pandas", "peft",
    "pyarrow", "pyspark", "safetensors", "sklearn", "tokenizers", "torch", "transformers", "uvicorn",
}  # fmt: skip


def fake_distribution(folder: Path, name: str) -> None:
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


@pytest.mark.parametrize(
    ("one", "other"), [("pyspark", "pyspark-client"), ("faiss-cpu", "faiss-gpu")]
)
def test_two_packages_in_one_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    fake_distribution(tmp_path, one)
    fake_distribution(tmp_path, other)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConflictError, match=f"pip uninstall -y {one} {other}"):
        environment.check()


def test_this_environment_has_no_conflict_and_everything() -> None:
    environment.check()
    missing = [p.name for p in environment.packages() if not p.version and p.extra != "gpu"]
    assert missing == []


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "tailor\[recsys\]"'), extra("recsys"):
        import no_such_package  # noqa: F401


def sources() -> list[Path]:
    return [
        path
        for package in ("features", "personalizer", "recsys")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def bare_heavy_imports(path: Path) -> list[str]:
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return [name for name in names if name.split(".")[0] in HEAVY]


def test_heavy_packages_are_imported_where_a_missing_one_is_explained() -> None:
    bare = {str(path.relative_to(ROOT)): bare_heavy_imports(path) for path in sources()}
    assert {path: names for path, names in bare.items() if names} == {}


def test_the_command_line_starts_light() -> None:
    began = time.monotonic()
    code = "import sys, recsys.cli; print(','.join(m.split('.')[0] for m in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split(",")
    seconds = time.monotonic() - began
    assert HEAVY & set(loaded) == set()
    assert seconds < 3, "the base must import in well under a second on an idle machine"
