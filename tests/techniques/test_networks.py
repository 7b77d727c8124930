"""What techniques on NumPy networks share."""

from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.scratch.optimisers import Adam, RmsProp
from bakeoff.techniques.networks import initial_schemes, optimiser_of
from bakeoff.techniques.perceptrons import PerceptronModel, load_perceptron, untrained_perceptron
from bakeoff.training.settings import TrainingSettings


def test_the_output_layer_has_no_relu_behind_it() -> None:
    assert initial_schemes("he") == {"": "he", "output": "lecun"}
    for scheme in ("glorot", "lecun", "zero"):
        assert set(initial_schemes(scheme).values()) == {scheme}


def test_the_optimiser_is_the_one_asked_for() -> None:
    network = untrained_perceptron("mlp", PerceptronModel(hidden=(3,)), (4, 3, 2), 5).network
    settings = TrainingSettings.parse({"epochs": 1, "optimizer": "rmsprop", "max_norm": 0.5})
    network.parameters["output.weight"][...] = 1
    made = optimiser_of(network, settings)
    assert isinstance(made, RmsProp)
    made.step(1e-3)
    norms = np.linalg.norm(network.parameters["output.weight"], axis=1)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-6)
    assert isinstance(optimiser_of(network, TrainingSettings(epochs=1, optimizer="adamw")), Adam)


def test_a_model_that_is_none_is_no_saved_predictor(tmp_path: Path) -> None:
    predictor = untrained_perceptron("mlp", PerceptronModel(hidden=(3,)), (4, 3, 2), 5)
    predictor.model = {"hidden": [3], "activation": "maxout"}
    predictor.save(tmp_path)
    with pytest.raises(InputError, match=r"not a saved mlp: model\.activation"):
        load_perceptron(tmp_path, "mlp")
