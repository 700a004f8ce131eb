"""The benchmarks run, and what they print has its shape; their figures are not judged here."""

import json
import subprocess
import sys
from pathlib import Path

from personalizer.config import HypernetConfig, LMConfig
from personalizer.timing import measure

ROOT = Path(__file__).parents[2]


def test_the_benchmark_of_adapters_compares_like_with_like():
    config = LMConfig(vocab_size=300, hidden_size=32, layers=1)
    told = measure(config, HypernetConfig(width=32, rank=2), rounds=1, new_rounds=1)
    assert set(told["batch64_ms"]) == {"p2p", "peft_adapter_names", "base"}
    assert set(told["batch64_new_users_ms"]) == {"p2p", "peft_adapter_names"}
    assert told["adapters_per_second"] > 0


def test_the_gpu_benchmark_runs_as_a_toy_with_nothing_else_installed(tmp_path):
    """From another folder, with the imports it must do without turned into errors."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "for name in ('fastapi', 'bm25s', 'pydantic', 'structlog', 'pyspark', 'faiss', 'feast',\n"
        "             'accelerate', 'prometheus_client', 'sqlalchemy'):\n"
        "    sys.modules[name] = None\n"
    )
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "gpu_personalizer.py", "--tiny", "--rounds", "1"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)["tiny"]
    assert told["score"]["scores_moved"]
    assert told["score"]["with_adapters"]["users_per_second"] > 0
    assert told["generate_ms_per_user"] > 0
