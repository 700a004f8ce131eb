import multiprocessing
import os
import signal

import numpy as np
import pytest

from personalizer import cache
from personalizer.cache import CachedEncoder
from personalizer.errors import WeightsError


class Counting:
    """An encoder whose vectors are known, and which tells what it was asked for."""

    dim = 2

    def __init__(self, version="counting@1", die_after=None):
        self.version, self.asked, self.die_after = version, [], die_after

    def encode(self, texts, progress=None):
        if progress:
            progress(len(texts), len(texts))
        if self.die_after is not None and len(self.asked) >= self.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], np.float32)


def test_only_new_texts_are_encoded(tmp_path):
    file = tmp_path / "deep" / "vectors.db"
    first = Counting()
    CachedEncoder(first, file).encode(["a", "bb", "a"])
    assert sorted(first.asked) == ["a", "bb"]
    again = Counting()
    vectors = CachedEncoder(again, file).encode(["ccc", "bb", "a"])
    assert again.asked == ["ccc"]
    assert vectors[:, 0].tolist() == [3, 2, 1]


def test_another_encoder_does_not_get_these_vectors(tmp_path):
    CachedEncoder(Counting(), tmp_path / "v.db").encode(["a"])
    other = Counting("counting@2")
    CachedEncoder(other, tmp_path / "v.db").encode(["a"])
    assert other.asked == ["a"]


def test_it_gives_what_the_real_encoder_gives(encoder, tmp_path):
    texts = ["dog shampoo", "laptop", "dog shampoo"]
    cached = CachedEncoder(encoder, tmp_path / "v.db")
    assert (cached.version, cached.dim) == (encoder.version, encoder.dim)
    first, second = cached.encode(texts), cached.encode(texts)
    np.testing.assert_allclose(first, encoder.encode(texts), atol=1e-5)
    assert np.array_equal(first, second)
    assert cached.encode([]).shape == (0, encoder.dim)


def _encode(file, die_after):
    cache.CHUNK = 3
    CachedEncoder(Counting(die_after=die_after), file).encode([f"{i:02d}" for i in range(12)])


def test_a_kill_keeps_what_was_done(tmp_path):
    file = tmp_path / "v.db"
    process = multiprocessing.get_context("spawn").Process(target=_encode, args=(file, 6))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    rest = Counting()
    CachedEncoder(rest, file).encode([f"{i:02d}" for i in range(12)])
    assert len(rest.asked) == 6


def test_two_processes_fill_one_file(tmp_path):
    file = tmp_path / "v.db"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_encode, args=(file, None)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    rest = Counting()
    CachedEncoder(rest, file).encode([f"{i:02d}" for i in range(12)])
    assert rest.asked == []


def test_a_file_that_is_no_database_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "v.db").write_text("not a database, but long enough to be read as one" * 10)
    with pytest.raises(WeightsError, match="delete the file"):
        CachedEncoder(Counting(), tmp_path / "v.db")
