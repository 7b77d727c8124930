"""Fine-tuning end to end: nothing thawed is a probe, and stops go on in the same bits."""

import numpy as np
import pytest
import torch
from tests.techniques.conftest import MemoryRun

from bakeoff.core.augmentation import AugmentationSettings
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.core.views import PredictionSettings
from bakeoff.scratch.network import initialise, perceptron
from bakeoff.techniques.cnn import Cnn, TorchPredictor
from bakeoff.techniques.frameworks.torch import Passes, convert
from bakeoff.techniques.heads import Head, standardiser
from bakeoff.techniques.tuning import Thaw, _joined, check_shape, inference_of, tune
from bakeoff.training.settings import TrainingSettings

FLOAT32 = Numerics(device="cpu", precision="float32")


def encoder(data: TrainingData) -> TorchPredictor:
    torch.set_num_threads(1)
    settings = Cnn.settings.parse({"model": {"name": "mlp", "hidden": [24, 12]}})
    return Cnn().beginning(settings, data, Streams(3))


def head_of(predictor: TorchPredictor, data: TrainingData) -> Head:
    network = perceptron((12,), (8,), 10, dropout=0.2)
    initialise(network, Streams(4))
    return Head(network, standardiser(predictor.represent(data.train.items)))


def tuned(data: TrainingData, rates: dict[str, float]) -> tuple[TorchPredictor, Head, MemoryRun]:
    predictor, run = encoder(data), MemoryRun()
    head = head_of(predictor, data)
    training = TrainingSettings.parse({"iterations": 8, "validate_every": 4, "batch_size": 40})
    what = Thaw(["hidden.1"], rates)
    tune((predictor, head), data, run, training, AugmentationSettings(crop=1), FLOAT32, what)
    return predictor, head, run


def test_only_thawed_layers_move(digits: TrainingData) -> None:
    begun, (predictor, head, run) = encoder(digits), tuned(digits, {"": 1.0})
    before = dict(begun.inference.module.named_parameters())
    after = dict(predictor.inference.module.named_parameters())
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"hidden.1.0.weight", "hidden.1.0.bias"}
    assert not np.array_equal(
        head.network.parameters["output.weight"],
        head_of(begun, digits).network.parameters["output.weight"],
    )
    assert len(run.rows) == 2


def test_the_same_bits_again(digits: TrainingData) -> None:
    first, second = (tuned(digits, {"": 0.3})[1].arrays() for _ in range(2))
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


def test_views_of_the_encoder_end_where_it_learns_on(digits: TrainingData) -> None:
    """What is validated, what predicts and what is saved are one."""
    predictor = encoder(digits)
    predictor.inference.look(PredictionSettings(mirror=True, shift=1))
    head, run = head_of(predictor, digits), MemoryRun()
    training = TrainingSettings.parse({"iterations": 4, "validate_every": 4, "batch_size": 40})
    what = Thaw(["hidden.1"], {"": 1.0})
    tune((predictor, head), digits, run, training, AugmentationSettings(), FLOAT32, what)
    validation = digits.validation
    told = head.probabilities(predictor.represent(validation.items))
    score = digits.task.score(validation.labels, told)
    assert score["log_loss"] == pytest.approx(run.rows[-1]["validation/log_loss"], rel=1e-5)


def test_other_shapes_and_networks_are_refused(
    digits: TrainingData, noise: TrainingData, texts: TrainingData
) -> None:
    predictor = encoder(digits)
    check_shape(predictor, digits, "probe")
    for data in (noise, texts):
        with pytest.raises(InputError, match=r"probe: images \(8, 8, 1\) needed"):
            check_shape(predictor, data, "probe")
    assert inference_of(predictor, "probe") is predictor.inference


def test_an_encoder_comes_to_the_device_that_is_asked_for(
    digits: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device of shapes alone stands for a GPU."""
    told = {"cpu": ("cpu", "float32"), "cuda": ("meta", "float32")}
    theirs, head = encoder(digits).inference, head_of(encoder(digits), digits)
    theirs.move(torch.device("cpu"))
    monkeypatch.setattr(
        "bakeoff.training.torch.numerics.resolve_device_and_precision",
        lambda device, precision: told[device],
    )
    for device, kind in (("cpu", "cpu"), ("cuda", "meta")):
        added, numerics = convert(head.network, Passes()), Numerics.parse({"device": device})
        joined = _joined(theirs, added, head, numerics, Thaw(None, {"": 1.0}))
        assert joined.device.type == joined.pixels.device.type == kind
        assert theirs.device.type == theirs.pixels.device.type == kind
        assert {tensor.device.type for tensor in joined.module.state_dict().values()} == {kind}
