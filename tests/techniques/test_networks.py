"""What techniques on NumPy networks share."""

from pathlib import Path

import pytest

from bakeoff.core.errors import InputError
from bakeoff.techniques.networks import NetworkTraining, initial_schemes
from bakeoff.techniques.perceptrons import PerceptronModel, load_perceptron, untrained_perceptron


def test_the_output_layer_has_no_relu_behind_it() -> None:
    assert initial_schemes("he") == {"": "he", "output": "lecun"}
    for scheme in ("glorot", "lecun", "zero"):
        assert set(initial_schemes(scheme).values()) == {scheme}


def test_a_model_that_is_none_is_no_saved_predictor(tmp_path: Path) -> None:
    predictor = untrained_perceptron("mlp", PerceptronModel(hidden=(3,)), (4, 3, 2), 5)
    predictor.model = {"hidden": [3], "activation": "maxout"}
    predictor.save(tmp_path)
    with pytest.raises(InputError, match=r"not a saved mlp: model\.activation"):
        load_perceptron(tmp_path, "mlp", "cpu")


def test_labels_are_smoothed_in_cross_entropy_alone() -> None:
    content = {"epochs": 1, "label_smoothing": 0.1}
    assert NetworkTraining.parse(content).label_smoothing == 0.1
    with pytest.raises(InputError, match=r"label_smoothing 0\.1 received with loss hinge"):
        NetworkTraining.parse(content | {"loss": "hinge"}, "training")
