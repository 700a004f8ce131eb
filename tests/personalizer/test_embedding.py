import numpy as np
import pytest

from personalizer.embedding import compose
from personalizer.errors import PersonalizerError

TEXT = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
OTHER = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]], np.float32)


def test_each_part_has_length_one_and_none_stays_none():
    both = compose("both", text=TEXT, collaborative=OTHER)
    np.testing.assert_allclose(both, [[0.6, 0.8, 1, 0, 0], [0, 0, 0, 0, 1]], atol=1e-6)
    assert both.dtype == np.float32
    np.testing.assert_allclose(compose("text", text=TEXT, collaborative=None), both[:, :2])
    np.testing.assert_allclose(
        compose("collaborative", text=None, collaborative=OTHER), both[:, 2:]
    )


def test_what_is_missing_or_of_others_is_refused():
    with pytest.raises(PersonalizerError, match="both"):
        compose("both", text=TEXT, collaborative=None)
    with pytest.raises(PersonalizerError, match="same shoppers"):
        compose("both", text=TEXT, collaborative=OTHER[:1])
