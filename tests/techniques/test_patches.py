"""Patch features as a setting: names, refusals, phases shared through the cache, profile."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import TrainingData
from bakeoff.techniques import patches as module
from bakeoff.techniques.patches import (
    PatchFeatures,
    encode,
    fit_features,
    one_blas_thread,
    profile,
    restored_encoder,
    saved_encoder,
    untrained_encoder,
)
from bakeoff.techniques.softmax import SoftmaxSettings

SMALL = PatchFeatures(size=3, atoms=10, patches=300, grid=2, threshold=0.5)


def test_features_have_names() -> None:
    assert SoftmaxSettings().features.name == "pixels"
    found = SoftmaxSettings.parse({"features": {"name": "patches", "atoms": 5}}).features
    assert isinstance(found, PatchFeatures)
    assert found.atoms == 5
    with pytest.raises(InputError, match=r"features\.atom: unknown field; did you mean 'atoms'"):
        SoftmaxSettings.parse({"features": {"name": "patches", "atom": 5}})
    with pytest.raises(InputError, match=r"features\.name"):
        SoftmaxSettings.parse({"features": {"name": "patch"}})


def test_share_and_threshold_are_the_encoders() -> None:
    assert SMALL.encoding().threshold == 0.5
    assert PatchFeatures(encoder="nearest", share=0.3).encoding().threshold == 0.3


def test_fit_and_encode(digits: TrainingData, run: Any) -> None:
    encoder, train, validation = fit_features(SMALL, digits, run)
    items = np.asarray(train.items)
    assert items.dtype == np.uint8
    assert items.shape == (len(digits.train), 4 * 2 * 10)
    np.testing.assert_array_equal(train.labels, digits.train.labels)
    np.testing.assert_array_equal(
        encode(encoder, np.asarray(digits.validation.items)), validation.items
    )
    again = restored_encoder(SMALL, (8, 8, 1), saved_encoder(encoder))
    np.testing.assert_array_equal(encode(again, np.asarray(digits.train.items)[:5]), items[:5])


def test_phases_are_shared_by_what_they_depend_on(digits: TrainingData, new_run: Any) -> None:
    keys = set()
    for settings, data, seed in (
        (SMALL, digits, 0),
        (SMALL, digits, 1),
        (SMALL, replace(digits, validation=digits.train), 0),
        (SMALL.model_copy(update={"threshold": 0.6}), digits, 0),
    ):
        run = new_run(seed)
        fit_features(settings, data, run)
        keys |= set(run.solved.values())
    assert len(keys) == 8
    run = new_run(0)
    fit_features(SMALL, digits, run)
    assert set(run.solved.values()) <= keys
    assert None not in keys


def test_other_seeds_draw_other_atoms(digits: TrainingData, new_run: Any) -> None:
    one, two, other = (fit_features(SMALL, digits, new_run(seed))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.dictionary.atoms, two.dictionary.atoms)
    assert (one.dictionary.atoms != other.dictionary.atoms).any()


def test_refusals(digits: TrainingData, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    few = SMALL.model_copy(update={"patches": 9})
    with pytest.raises(InputError, match=r"features\.patches: 9 received \(allowed: at least 10"):
        fit_features(few, digits, run)
    monkeypatch.setattr(module, "LIMIT", 1000)
    with pytest.raises(InputError, match="fewer atoms or windows"):
        fit_features(SMALL, digits, run)
    with pytest.raises(InputError, match="patches of 9 pixels"):
        untrained_encoder(SMALL.model_copy(update={"size": 9}), (8, 8, 1))


def test_profile_counts_by_closed_form() -> None:
    row = profile(untrained_encoder(PatchFeatures(atoms=100), (32, 32, 3)))
    assert row.macs == 27 * 27 * 108 * 100 * 2
    assert row.output == (9 * 2 * 100,)
    assert row.parameters == 108 + 108 * 108 + 100 * 108 + 2 * 1800
    assert row.trained_parameters == 0


def test_products_in_one_thread() -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread() as threads:
            inside = {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}
        after = {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}
    assert inside == {1}
    assert {threads} == after
