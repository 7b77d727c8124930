"""Arrays out of variables and back into them, whole or not at all."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.training.keras.library import tf
from bakeoff.training.keras.variables import copy_into, to_arrays


def test_there_and_back() -> None:
    variables = {"a": tf.Variable([[1.0, 2.0]]), "b": tf.Variable(np.zeros(1, np.int64))}
    arrays = to_arrays(variables)
    assert arrays["a"].dtype == np.float32
    assert arrays["b"].dtype == np.int64
    kept = arrays["a"].copy()
    variables["a"].assign([[7.0, 8.0]])
    np.testing.assert_array_equal(arrays["a"], kept)
    copy_into(variables, arrays)
    np.testing.assert_array_equal(variables["a"], kept)


def test_what_does_not_fit_is_told_at_once_and_changes_nothing() -> None:
    variables = {"a": tf.Variable([1.0]), "b": tf.Variable([1.0]), "c": tf.Variable([1.0])}
    arrays: dict[str, NDArray[Any]] = {
        "a": np.zeros(2, np.float32),
        "b": np.zeros(1, np.float64),
        "d": np.zeros(1, np.float32),
    }
    with pytest.raises(InputError) as caught:
        copy_into(variables, arrays)
    assert caught.value.faults[1:] == (
        "a: (2,) float32 received, (1,) float32 needed",
        "b: (1,) float64 received, (1,) float32 needed",
        "c: missing",
        "d: unknown",
    )
    assert variables["a"].numpy().tolist() == [1.0]
