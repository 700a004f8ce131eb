"""The benchmark's contract, and its steps on a small shop where they are not slow."""

import json
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.benchmark import features
from recsys.benchmark.home import Home
from recsys.benchmark.steps import _usual_day
from recsys.cli import main
from recsys.errors import StageError

ROOT = Path(__file__).parents[2]
FIGURES = {
    "raw_to_online_seconds", "next_day_seconds", "peak_mib", "materialize_rows_per_second",
    "feast_materialize_rows_per_second", "lookup_ms_p50", "lookup_1000_users_ms",
    "skew_mismatches",
}  # fmt: skip


def test_the_figures_are_those_of_the_contract(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps = []

    def step(name: str, *words: str, told: features.Told) -> tuple[dict[str, object], float]:
        steps.append(name)
        told(name)
        known = {"as_of": "2024-01-01T00:00:00+00:00", "peak_mib": 10 * len(steps)}
        return known | dict.fromkeys(FIGURES - {"peak_mib"}, 7.5), float(len(steps))

    monkeypatch.setattr(features, "_step", step)
    words = ["benchmark", "features", "--reviews", "r", "--items", "i"]
    assert main([*words, "--json", str(tmp_path / "out" / "figures.json")]) == 0
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(figures) == FIGURES
    assert steps == ["raw", "rewind", "day", "online"]
    assert (figures["raw_to_online_seconds"], figures["next_day_seconds"]) == (1, 3)
    assert figures["peak_mib"] == 30  # of raw and day; the others only prepare and compare


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="benchmark, step none: KeyError: 'none'"):
        features._step("none", str(tmp_path), told=lambda _: None)


def test_the_further_day_is_the_latest_of_usual_size(tmp_path: Path) -> None:
    counts = {1: 3, 2: 3, 3: 9, 4: 2}  # the last day is cut off
    times = [datetime(2024, 1, day, hour, tzinfo=UTC) for day, n in counts.items()
             for hour in range(n)]  # fmt: skip
    home = Home(tmp_path)
    (home.tables / "purchases").mkdir(parents=True)
    table = pa.table({"event_timestamp": pa.array(times, pa.timestamp("us", tz="UTC"))})
    pq.write_table(table, home.tables / "purchases" / "part-0.parquet")
    assert _usual_day(home) == datetime(2024, 1, 3, tzinfo=UTC)


def test_the_curves_of_ranking_come_out_of_small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # the script sets them: they come back afterwards
    spec = spec_from_file_location("ranking", ROOT / "benchmarks" / "ranking.py")
    assert spec is not None
    assert spec.loader is not None
    ranking = module_from_spec(spec)
    spec.loader.exec_module(ranking)
    for size, small in {"USERS": (20, 40), "ITEMS": (300, 400), "TIMED": 20, "ROUNDS": 5}.items():
        monkeypatch.setattr(ranking, size, small)
    curves = ranking.curves(seed=0)
    for against in ("against_users", "against_items"):
        assert all(point["seconds_per_1000"] > 0 for point in curves[against]["points"])
    assert [point["items"] for point in curves["against_items"]["points"]] == [300, 400]
