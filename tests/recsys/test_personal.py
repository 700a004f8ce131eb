"""The commands of the adapted language model, on a published home."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import peft
import pytest
import torch

from recsys.cli import main
from recsys.ladder import Rung
from recsys.personal import Personal
from recsys.pipeline.stages.models import reranker_of
from recsys.rerank_http import HttpReranker
from recsys.settings import load
from tests.conftest import Home
from tests.personalizer.test_server import Running

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("home")
def test_a_fleet_and_one_of_it(tmp_path, capsys) -> None:
    out = tmp_path / "fleet"
    assert main(["personalizer", "fleet", "--out", str(out), "--most", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    lines = (out / "lora-modules.txt").read_text().split()
    assert [line.partition("=")[0] for line in lines] == told["adapters"]
    personal = Personal.open(load())
    user = personal.everybody()[0]
    assert main(["personalizer", "export", user, "--out", str(tmp_path / "one"), "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert one["name"] == told["adapters"][0]
    ids = torch.tensor([[3, 4, 5]])
    shopper = personal.known([user])[user]
    with torch.no_grad():
        with personal.store.hypernet.attach(personal.lm.model).use(
            personal.store.adapters([shopper])
        ):
            ours = personal.lm.model(input_ids=ids).logits
        theirs = peft.PeftModel.from_pretrained(personal.lm.model, one["folder"])
        torch.testing.assert_close(theirs(input_ids=ids).logits, ours, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("home")
def test_a_stranger_has_no_adapter(tmp_path, capsys) -> None:
    assert main(["personalizer", "export", "nobody at all", "--out", str(tmp_path)]) == 1
    assert "nothing is known of 'nobody at all'" in capsys.readouterr().err


def test_the_server_of_the_release_scores_as_the_process_does(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from personalizer.server.app import create_app

    settings = load()
    personal = Personal.open(settings)
    items = np.tile(np.arange(5, dtype=np.int32), (4, 1))
    vectors = personal.shoppers.vectors[:4]
    near = reranker_of(dict(personal.inputs), personal.catalogue, settings)
    with Running(create_app(personal.engine())) as running:
        monkeypatch.setenv("TAILOR_PERSONALIZER__SERVER__URL", running.url)
        far = reranker_of(dict(personal.inputs), personal.catalogue, load())
        assert isinstance(far, HttpReranker)
        np.testing.assert_allclose(far.score(vectors, items), near.score(vectors, items), atol=1e-5)
        user = personal.everybody()[0]
        body = {"shoppers": [{"id": user, "candidates": ["a soap"]}]}
        assert httpx.post(f"{running.url}/v1/score", json=body).status_code == 200
        body["shoppers"][0] = {"profile": "likes soap", "candidates": ["a soap"]}
        assert httpx.post(f"{running.url}/v1/score", json=body).status_code == 200


def test_a_model_that_is_not_proved_to_be_personal_gets_no_weight_and_is_not_published(
    home: Home,
) -> None:
    from recsys.artifacts import ArtifactStore
    from recsys.errors import StageError
    from recsys.pipeline.observer import Silent
    from recsys.pipeline.publish import _language_model, publish
    from recsys.pipeline.stage import Context
    from recsys.pipeline.stages.models import blend, unproved
    from recsys.results import database
    from tests import tiny

    inputs = dict(home.result.artifacts)
    settings = tiny.settings(home.path)
    context = Context(settings, ArtifactStore(home.path), Silent(), inputs=inputs)

    def told(kind, **metrics):
        manifest = inputs[kind].manifest
        inputs[kind] = replace(
            inputs[kind], manifest=replace(manifest, metrics=manifest.metrics | metrics)
        )

    told("hypernet", proof={"proved": False, "why": "shuffled does not lose"})
    assert unproved(inputs) == "shuffled does not lose"
    with ArtifactStore(home.path).create(
        replace(inputs["blend"].manifest, version="unproved")
    ) as draft:
        blend(context, draft)
        document = json.loads((draft.path / "blend.json").read_text())
        assert (document["weight"], document["why"]) == (0, "shuffled does not lose")
        told("blend", **draft.manifest.metrics)
    assert _language_model(context) == {
        "language model weight": 0.0,
        "language model left out": "shuffled does not lose",
    }
    told("blend", lm_weight=0.5)
    with pytest.raises(StageError, match="not proved to be personal: shuffled"):
        publish(context, database.of(settings))


def test_both_sources_of_the_embedding_go_all_the_way(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, proved, weighed, listed and served: with what is bought near beside the words."""
    from recsys.artifacts import ArtifactStore, Releases
    from recsys.pipeline.run import run
    from recsys.service.snapshot import Snapshot

    monkeypatch.setenv("TAILOR_PERSONALIZER__HYPERNET__EMBEDDING", "both")
    settings = load()
    ran = run(settings)
    told = ran.artifacts["hypernet"].manifest.metrics["proof"]
    assert isinstance(told, dict)
    assert set(told["alone"]) == {"text", "collaborative"}

    personal = Personal.open(settings)
    words = personal.shoppers.vectors.shape[1]
    assert personal.embeddings.shape[1] == personal.store.hypernet.user_dim > words
    assert personal.engine().encode is None, "a text alone is half of what it wants to know"

    release, artifacts = Releases(ArtifactStore(home.path)).open(str(ran.release))
    snapshot = Snapshot.load(settings, release, artifacts)
    served = replace(
        snapshot.recommender,
        reranker=reranker_of(dict(artifacts), snapshot.catalogue, settings),
        blend_weight=0.5,
        decision=None,
    )
    known = personal.shoppers.take([int(np.flatnonzero(personal.shoppers.lengths > 2)[0])])
    draft = served.draft(known, 5)
    assert draft.failures == []
    assert draft.rung[0] is Rung.ADAPTED_LM
    assert served.taste_of(known)[0, words:].any()
    snapshot.close()


def test_the_benchmark_of_what_scores_are_set_against_runs_on_a_home(home: Home) -> None:
    words = [sys.executable, "benchmarks/reranker.py", "--home", str(home.path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["shoppers"] > 0
    assert all(
        0 <= told[name] <= 1 for name in ("minus_nobody", "minus_bare", "cosine", "shuffled")
    )
    assert set(told["loss_per_token"]) == {"base", "real", "shuffled", "zero"}
