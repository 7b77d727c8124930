"""The probe: on vectors of other recipes, added layers, thawed encoders, clear refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.techniques.conftest import MemoryRun, image_data

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Predictor, TrainingData
from bakeoff.techniques import find, framework_of
from bakeoff.techniques.cnn import Cnn
from bakeoff.techniques.contrastive import Contrastive
from bakeoff.techniques.mlp import Mlp
from bakeoff.techniques.probe import Probe, ProbePredictor, ProbeSettings
from bakeoff.techniques.recipes import parse_recipe

Cells = Callable[..., Cell]
MODEL = {"name": "mlp", "hidden": [32]}
ENCODER = {"encoder": {"recipe": "net"}}
NETWORK = {"name": "network-b", "hidden": [16]}
TUNING = {"iterations": 40, "batch_size": 64, "validate_every": 20, "learning_rate": 0.1}


@pytest.fixture
def encoders(digits: TrainingData, cell_of: Cells) -> dict[str, Predictor]:
    torch.set_num_threads(1)
    training = {"epochs": 2, "batch_size": 128}
    contrastive = cell_of(
        "contrastive", model=MODEL, vector={"dimension": 16},
        training={**training, "learning_rate": 0.003},
    )  # fmt: skip
    cnn = cell_of("cnn", model=MODEL, training=training)
    mlp = cell_of("mlp", model={"hidden": [16]}, training={"epochs": 3})
    return {
        "contrastive": Contrastive().fit(contrastive, digits, {}, MemoryRun(1)),
        "cnn": Cnn().fit(cnn, digits, {}, MemoryRun(1)),
        "mlp": Mlp().fit(mlp, digits, {}, MemoryRun(1)),
    }


def accuracy(predictor: Predictor, data: TrainingData) -> float:
    guesses = predictor.predict(data.validation.items).argmax(axis=1)
    return float((guesses == data.validation.labels).mean())


def probed(
    data: TrainingData, cell: Cell, encoder: Predictor, run: MemoryRun | None = None
) -> ProbePredictor:
    predictor = Probe().fit(cell, data, {"net": encoder}, run or MemoryRun())
    assert isinstance(predictor, ProbePredictor)
    return predictor


@pytest.mark.parametrize("name", ["contrastive", "cnn", "mlp"])
@pytest.mark.parametrize(
    "sections",
    [{}, {"training": {"solver": "lbfgs", "l2": 0.001}}, {"classifier": NETWORK}],
    ids=["loop", "lbfgs", "network-b"],
)
def test_frozen_vectors(
    digits: TrainingData,
    cell_of: Cells,
    encoders: dict[str, Predictor],
    sections: dict[str, Any],
    name: str,
    tmp_path: Path,
) -> None:
    run, encoder = MemoryRun(), encoders[name]
    before = encoder.predict(digits.validation.items)
    predictor = probed(digits, cell_of("probe", **ENCODER, **sections), encoder, run)
    assert accuracy(predictor, digits) > 0.7
    assert not run.notes
    assert [phase for phase in run.solved if phase != "solve"] == ["encode", "encode-validation"]
    np.testing.assert_array_equal(encoder.predict(digits.validation.items), before)
    rows = predictor.layers()
    assert rows[-1].name == "head.output"
    head = [row for row in rows if row.name.startswith("head.")]
    assert sum(row.trained_parameters for row in rows) == sum(row.parameters for row in head)
    predictor.save(tmp_path)
    again = find("probe").load(tmp_path)
    items = digits.validation.items
    np.testing.assert_array_equal(again.predict(items), predictor.predict(items))
    assert again.layers() == rows


def test_vectors_that_are_remembered_are_those_computed(
    digits: TrainingData, cell_of: Cells, encoders: dict[str, Predictor]
) -> None:
    predictor = probed(digits, cell_of("probe", **ENCODER), encoders["mlp"])
    items = digits.validation.items
    copied = np.array(items)
    np.testing.assert_array_equal(predictor.predict(items), predictor.predict(copied))
    assert predictor.represent(items).shape == (450, 16)


@pytest.mark.parametrize("name", ["contrastive", "cnn"])
@pytest.mark.parametrize("layers", ["all", ["hidden"]], ids=["all", "hidden"])
def test_fine_tuning(
    digits: TrainingData,
    cell_of: Cells,
    encoders: dict[str, Predictor],
    name: str,
    layers: Any,
    tmp_path: Path,
) -> None:
    encoder = encoders[name]
    before = encoder.represent(digits.validation.items)  # type: ignore[attr-defined]
    classifier = {**NETWORK, "fine_tune": layers, "rates": {"hidden": 0.5}}
    run = MemoryRun()
    cell = cell_of("probe", **ENCODER, classifier=classifier, training=TUNING)
    predictor = probed(digits, cell, encoder, run)
    assert list(run.solved) == ["encode"]
    after = encoder.represent(digits.validation.items)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(after, before)
    tuned = predictor.source.represent(digits.validation.items)
    assert not np.allclose(tuned, before), "the encoder learnt, in a copy"
    assert accuracy(predictor, digits) > 0.75
    best = max(row["validation/accuracy"] for row in run.rows)
    assert accuracy(predictor, digits) == pytest.approx(best, abs=0.005)
    rows = {row.name: row for row in predictor.layers()}
    hidden = next(row for path, row in rows.items() if "hidden.0.0" in path)
    assert hidden.trained_parameters == hidden.parameters > 0
    output = rows.get("trunk.output") or rows["output"]
    learns = layers == "all" and name == "contrastive"  # vectors of cnn do not depend on its own
    assert output.trained_parameters == (output.parameters if learns else 0)
    predictor.save(tmp_path)
    again = find("probe").load(tmp_path)
    items = digits.validation.items
    np.testing.assert_array_equal(again.predict(items), predictor.predict(items))
    assert again.layers() == predictor.layers()


@pytest.mark.parametrize("layers", ["all", ["block3"]], ids=["all", "block3"])
def test_fine_tuning_of_speedrun(cell_of: Cells, layers: Any, tmp_path: Path) -> None:
    """Its whitening filters and gains never learn; all else does, where it is asked for."""
    torch.set_num_threads(1)
    generator, labels = np.random.default_rng(0), np.arange(120) % 2
    items = generator.integers(0, 156, (120, 9, 9, 3)) + 100 * labels[:, None, None, None]
    data = image_data(items.astype(np.uint8), labels, 40, 2)
    encoder = Contrastive().fit(
        cell_of(
            "contrastive",
            model={"name": "speedrun", "widths": [4, 6, 10]},
            vector={"dimension": 8},
            training={"iterations": 6, "batch_size": 20, "learning_rate": 0.01},
        ),
        data,
        {},
        MemoryRun(1),
    )
    before = weights(encoder)
    classifier = {**NETWORK, "fine_tune": layers, "encoder_rate": 1.0, "rates": {"block3": 0.5}}
    cell = cell_of("probe", **ENCODER, classifier=classifier, training=TUNING)
    predictor = probed(data, cell, encoder)
    after = weights(predictor.source)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    gains = {name for name in before if ".norm" in name and name.endswith(".weight")}
    fixed = gains | {"trunk.whitening.weight"}
    assert gains
    learnt = {name for name in before if layers == "all" or name.startswith("trunk.block3.")}
    assert moved == learnt - fixed
    assert accuracy(predictor, data) > 0.8
    predictor.save(tmp_path)
    again = find("probe").load(tmp_path)
    held_out = data.validation.items
    np.testing.assert_array_equal(again.predict(held_out), predictor.predict(held_out))
    assert again.layers() == predictor.layers()


def weights(encoder: Any) -> dict[str, Any]:
    named = encoder.inference.module.named_parameters()
    return {name: values.detach().numpy().copy() for name, values in named}


def test_fine_tuning_goes_on_from_network_b(
    digits: TrainingData, cell_of: Cells, encoders: dict[str, Predictor]
) -> None:
    """The first validation is at least as good as what it starts from, but for a little."""
    begun = probed(digits, cell_of("probe", **ENCODER, classifier=NETWORK), encoders["cnn"])
    classifier = {**NETWORK, "fine_tune": "all"}
    training = {**TUNING, "iterations": 1, "validate_every": 1, "learning_rate": 1e-6}
    cell = cell_of("probe", **ENCODER, classifier=classifier, training=training)
    predictor = probed(digits, cell, begun)
    assert accuracy(predictor, digits) == pytest.approx(accuracy(begun, digits), abs=0.005)
    other = {**classifier, "hidden": [17]}
    cell = cell_of("probe", **ENCODER, classifier=other, training=training)
    with pytest.raises(InputError, match=r"hidden \(17,\) against \(16,\) in recipe 'net'"):
        probed(digits, cell, begun)


def test_thawing_needs_a_torch_network(
    digits: TrainingData, cell_of: Cells, encoders: dict[str, Predictor]
) -> None:
    cell = cell_of("probe", **ENCODER, classifier={**NETWORK, "fine_tune": "all"}, training=TUNING)
    with pytest.raises(
        InputError, match=r"its layers cannot learn on \(allowed: the techniques cnn"
    ):
        probed(digits, cell, encoders["mlp"])


def test_nan_vectors_are_refused(
    digits: TrainingData, cell_of: Cells, encoders: dict[str, Predictor]
) -> None:
    network = encoders["mlp"].network  # type: ignore[attr-defined]
    network.parameters["hidden-1.bias"][...] = np.nan
    with pytest.raises(InputError, match=r"probe: encoder: .*it has diverged"):
        probed(digits, cell_of("probe", **ENCODER), encoders["mlp"])


def test_one_point_is_no_failure(
    digits: TrainingData, cell_of: Cells, encoders: dict[str, Predictor]
) -> None:
    """A collapsed encoder gives a probe that knows how frequent the classes are."""
    network = encoders["mlp"].network  # type: ignore[attr-defined]
    network.parameters["hidden-1.weight"][...] = 0
    run = MemoryRun()
    predictor = probed(digits, cell_of("probe", **ENCODER), encoders["mlp"], run)
    assert run.notes == ["'net' has collapsed: its vectors lie at one point"]
    probabilities = predictor.predict(digits.validation.items)
    assert np.ptp(probabilities, axis=0).max() == 0
    np.testing.assert_allclose(probabilities, 0.1, atol=0.03)


def test_texts_need_an_encoder(texts: TrainingData, cell_of: Cells) -> None:
    with pytest.raises(InputError, match="or an encoder that turns texts into vectors"):
        Probe().fit(cell_of("probe"), texts, {}, MemoryRun())


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"classifier": {**NETWORK, "fine_tune": "all"}}, "without an encoder"),
        ({**ENCODER, "augmentation": {"flip": True}}, "vectors are computed once"),
        ({**ENCODER, "training": {"optimizer": "muon"}}, "numpy has none"),
        ({**ENCODER, "classifier": {"encoder_rate": 0.5}}, "no layer of the encoder learns"),
        ({**ENCODER, "classifier": {"fine_tune": []}}, r"fine_tune \[\] received"),
        (
            {**ENCODER, "classifier": {**NETWORK, "fine_tune": "all"},
             "training": {"solver": "lbfgs"}},
            "lbfgs received with classifier.fine_tune",
        ),
        ({**ENCODER, "classifier": {"name": "softmx"}}, "did you mean 'softmax'"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(
    cell_of: Cells, sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        cell_of("probe", **sections)


def test_what_it_computes_in() -> None:
    def of(**sections: Any) -> str:
        return framework_of(
            parse_recipe({"technique": "probe", "data": {"set": "digits"}, **sections})
        )

    assert of() == "numpy"
    assert of(**ENCODER) == "torch"


def test_untrained_and_checked() -> None:
    settings = ProbeSettings.parse({"classifier": {"normalisation": "batch"}})
    rows = Probe().untrained(settings, (4, 3, 2), 5).layers()
    assert next(row.name for row in rows if row.weights) == "head.hidden-1"
    parts = ProbeSettings.parse(
        {"classifier": {"normalisation": "batch"}, "training": {"accumulate": 2}}
    )
    with pytest.raises(InputError, match="cannot be trained in parts"):
        Probe().check(parts, Offer((4, 3, 2), 100, {}))


def test_the_shape_of_items_is_the_encoders(
    digits: TrainingData, cell_of: Cells, encoders: dict[str, Predictor]
) -> None:
    """What reads new images asks for it: torch's layers would say (C, H, W)."""
    assert probed(digits, cell_of("probe", **ENCODER), encoders["cnn"]).shape == (8, 8, 1)
    assert Probe().untrained(ProbeSettings(), (4, 3, 2), 5).shape == (4, 3, 2)
    knn = find("knn").fit(cell_of("knn", **ENCODER), digits, {"net": encoders["cnn"]}, MemoryRun())
    assert knn.shape == (8, 8, 1)  # type: ignore[attr-defined]
