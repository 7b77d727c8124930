"""The scratch network itself as an engine: the step and the evaluator of `bakeoff.scratch`."""

import numpy as np
from tests.techniques.frameworks.same import IMAGES, NORMALISER, SHAPE, STREAMS, at, batch, mlp

from bakeoff.scratch.optimisers import Adam, Momentum, RmsProp
from bakeoff.scratch.step import Evaluator, NumpyStep, Pixels
from bakeoff.techniques.frameworks.numpy import NumpyEngine, optimiser_of
from bakeoff.training.settings import TrainingSettings


def test_it_is_the_scratch_step() -> None:
    here, there = mlp(), mlp()
    training = TrainingSettings(epochs=1, optimizer="momentum", momentum=0.8, l2=0.1)
    working = NumpyEngine(here, NORMALISER, SHAPE)
    step = working.step(training, STREAMS)
    pixels = Pixels(NORMALISER, SHAPE)
    expected = NumpyStep(there, Momentum(there, 0.1, momentum=0.8), pixels)
    for number in range(2):
        assert step(batch(number), at(number)) == expected(batch(number), at(number))
    working.keep()
    for path, values in there.parameters.items():
        np.testing.assert_array_equal(here.parameters[path], values)
    found, evaluator = working.probabilities(IMAGES), Evaluator(there, pixels)
    assert found.tobytes() == evaluator.probabilities(IMAGES).tobytes()
    assert working.outputs(IMAGES).tobytes() == evaluator.outputs(IMAGES).tobytes()


def test_the_optimiser_is_the_one_asked_for() -> None:
    network = mlp()
    settings = TrainingSettings.parse({"epochs": 1, "optimizer": "rmsprop", "max_norm": 0.5})
    network.parameters["output.weight"][...] = 1
    made = optimiser_of(network, settings)
    assert isinstance(made, RmsProp)
    made.step(1e-3)
    norms = np.linalg.norm(network.parameters["output.weight"], axis=1)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-6)
    assert isinstance(optimiser_of(network, TrainingSettings(epochs=1, optimizer="adamw")), Adam)
