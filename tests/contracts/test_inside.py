"""Every technique whose networks can be opened keeps what it promises; new ones are found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.contracts.small import Bench, cell_of, resolved, run_of, same_bits, settings_of

from bakeoff.core.protocols import Batch, Fitted, LoopPlan, Openable, Step, Technique
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.core.streams import Streams
from bakeoff.techniques import TECHNIQUES, find
from bakeoff.techniques.saved import read_predictor

OPENABLE = [name for name in sorted(TECHNIQUES) if isinstance(find(name), Openable)]


class Begun(Exception):
    """A loop was about to begin."""

    def __init__(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.state = dict(state)


@pytest.fixture(params=OPENABLE)
def technique(request: pytest.FixtureRequest) -> Technique:
    return find(request.param)


def test_all_networks_on_images_can_be_opened() -> None:
    assert set(OPENABLE) >= {"cnn", "logistic", "mlp", "scratch-cnn", "softmax"}


def test_the_beginning_is_what_the_fit_begins_with(technique: Technique, tmp_path: Path) -> None:
    assert isinstance(technique, Openable)
    settings, bench = settings_of(technique), Bench(technique, tmp_path)
    recipe = Recipe(
        name=technique.name,
        technique=technique.name,
        data=DataSettings(set="digits"),
        numerics=resolved(technique.framework),
        settings=settings,
    )
    run, data = run_of(recipe, tmp_path / "cell", seed=3), bench.data()

    def stop(phase: str, step: Step, batches: object, plan: LoopPlan) -> Fitted:
        raise Begun(step.state())

    run.loop = stop  # type: ignore[method-assign]
    with pytest.raises(Begun) as begun:
        technique.fit(cell_of(recipe, 3), data, bench.inputs(settings), run)
    assert technique.opens(settings)
    predictor = technique.beginning(settings, data, Streams(3))
    weights = technique.opened(settings, predictor, fresh=True).weights()
    assert weights
    for layer, values in weights.items():
        assert same_bits(values, begun.value.state[f"network.{layer}.weight"]), layer


def test_looking_changes_no_bit(technique: Technique, tmp_path: Path) -> None:
    assert isinstance(technique, Openable)
    bench, settings = Bench(technique, tmp_path), settings_of(technique)
    attempt = bench.fit("cell")
    predictor, data = attempt.predictor, attempt.data
    items = np.asarray(data.validation.items)
    before = predictor.predict(items)
    network = technique.opened(settings, predictor, fresh=False)
    batch = Batch(data.train.items[:16], data.train.labels[:16], np.arange(16))
    gradients, told = network.gradients(batch), []
    network.outputs(items, lambda layer, kind, outputs: told.append((layer, kind)))
    weights = network.weights()
    assert {n: g.shape for n, g in gradients.items()} == {n: w.shape for n, w in weights.items()}
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert any(g.any() for g in gradients.values())
    assert {layer for layer, _ in told} <= weights.keys()
    filters = network.filters()
    assert filters is not None
    assert filters.ndim == 4
    assert same_bits(predictor.predict(items), before)
    (tmp_path / "saved").mkdir()
    predictor.save(tmp_path / "saved")
    arrays, _ = read_predictor(tmp_path / "saved", technique.name)
    again = technique.load(tmp_path / "saved")
    assert arrays
    assert same_bits(again.predict(items), before)


def test_patch_features_are_not_opened() -> None:
    softmax = find("softmax")
    assert isinstance(softmax, Openable)
    settings = softmax.settings.parse({"features": {"name": "patches"}})
    assert not softmax.opens(settings)
