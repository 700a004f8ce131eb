"""OpenLineage by Airflow's provider: what a run read and wrote, into a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Home

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def test_a_run_tells_its_lineage(home: Home, run_dags: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "lineage.jsonl"
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    run_dags(
        ("batch_scoring", "2026-01-02T00:00:00+00:00", {"shards": 1}),
        AIRFLOW__OPENLINEAGE__NAMESPACE="tailor",
        AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(transport),
    )
    events = [json.loads(line) for line in file.read_text().splitlines()]
    ended = {one["job"]["name"] for one in events if one["eventType"] == "COMPLETE"}
    assert {"batch_scoring.plan", "batch_scoring.score", "batch_scoring.publish"} <= ended
    assert {one["job"]["namespace"] for one in events} == {"tailor"}
    outputs = {
        (output["namespace"], output["name"]) for one in events for output in one.get("outputs", [])
    }
    assert outputs == {("file", str(home.path / "artifacts" / "lists"))}
