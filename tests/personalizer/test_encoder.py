import logging
import shutil
from importlib import metadata

import numpy as np
import pytest
import torch

from personalizer import weights
from personalizer.config import EncoderConfig
from personalizer.encoder import TextEncoder, best_dtype
from personalizer.errors import WeightsError
from personalizer.weights import KNOWN_SHA256, locate, sha256


def test_it_knows_what_is_alike(encoder):
    dog, pet, laptop = encoder.encode(["dog shampoo", "pet wash", "laptop"])
    assert dog @ pet > dog @ laptop + 0.2


def test_vectors_are_float32_rows_of_length_one(encoder):
    vectors = encoder.encode(["soap", "a much longer title of some soap with roses", ""])
    assert vectors.shape == (3, encoder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("capable_of", "chosen"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_half_the_precision_where_the_processor_multiplies_it(monkeypatch, capable_of, chosen):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable_of)
    assert best_dtype() is chosen


def test_no_texts_give_no_rows(encoder):
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_a_vector_depends_neither_on_order_nor_on_company(encoder):
    texts = ["soap", "hair dryer 2000 W with diffuser", "nail file", "soap", "x " * 100]
    forward = encoder.encode(texts)
    near = 1e-5 if best_dtype() is torch.float32 else 1e-2  # bfloat16 has eight bits
    np.testing.assert_allclose(encoder.encode(texts[::-1])[::-1], forward, atol=near)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(alone, forward, atol=near)
    assert np.min(np.sum(alone * forward, axis=1)) > 0.9995
    assert np.array_equal(forward[0], forward[3])


def test_a_vector_does_not_depend_on_threads_and_torch_keeps_its_own(encoder, monkeypatch):
    monkeypatch.setattr(encoder, "_batch_tokens", 16)
    texts = [f"soap with {number} roses" for number in range(40)]
    mine = torch.get_num_threads()
    found = []
    for threads in (mine + 2, mine):
        monkeypatch.setattr(encoder, "_threads", threads)
        found.append(encoder.encode(texts))
        assert torch.get_num_threads() == threads
    assert np.array_equal(*found)


def test_progress_counts_distinct_texts_to_the_end(encoder):
    seen = []
    encoder.encode(["a", "b", "a"], lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2)


def test_the_version_names_the_weights(encoder):
    assert encoder.version == f"sentence-transformers/all-MiniLM-L6-v2@{KNOWN_SHA256[:8]}"


def test_the_offline_package_is_found_and_intact():
    assert sha256(weights._packaged(weights.KNOWN_NAME) / "model.safetensors") == KNOWN_SHA256


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the installed package in a folder that comes first on the path."""
    for file in metadata.files(weights.PACKAGE):
        if "model" in file.parts or ".dist-info" in file.parts[0]:
            target = tmp_path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), target)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(weights, "_cached", lambda _: "hub cache: empty")
    return tmp_path


def test_a_package_with_one_byte_changed_is_refused(package):
    found = locate(EncoderConfig())
    assert found.is_relative_to(package)
    file = found / "model.safetensors"
    with file.open("r+b") as weights_file:
        weights_file.seek(-1, 2)
        last = weights_file.read(1)
        weights_file.seek(-1, 2)
        weights_file.write(bytes([last[0] ^ 1]))
    with pytest.raises(WeightsError, match="the file was changed"):
        locate(EncoderConfig())


def test_missing_weights_tell_all_places_and_what_to_do(monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    with pytest.raises(WeightsError) as caught:
        locate(EncoderConfig(name="nobody/no-such-encoder"))
    for place in ("configured path", "hub cache", "package", "hub: offline"):
        assert place in str(caught.value)
    assert "personalizer.encoder.path" in caught.value.fix


def test_a_configured_path_comes_first_and_must_hold_an_encoder(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json"):
        TextEncoder(EncoderConfig(path=str(tmp_path)))


def test_another_revision_in_the_hub_cache_is_used_with_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"another revision")
    monkeypatch.setattr(weights, "snapshot_download", lambda _name, **_: str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert locate(EncoderConfig()) == tmp_path
    assert "differ" in caplog.text


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"pooling_mode_cls_token": True}, 0.0), ({"pooling_mode": "lasttoken"}, 1.0), ({}, 0.5)],
)
def test_pooling_follows_the_models_own_folder(tmp_path, said, expected):
    import json

    import torch

    from personalizer.encoder import _pooling

    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(said))
    hidden = torch.tensor([[[0.0], [1.0], [99.0]]])  # the last is padding
    pooled = _pooling(tmp_path)(hidden, torch.tensor([[True, True, False]]))
    assert float(pooled) == expected
