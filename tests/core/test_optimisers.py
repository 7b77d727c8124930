"""The table: every optimiser is in it, and it says what is really there."""

from typing import get_args

import pytest

from bakeoff.core.optimisers import FIELDS, OPTIMISERS, OptimizerName, names_in
from bakeoff.core.recipe import Framework
from bakeoff.training.settings import TaughtSettings


def test_every_name_has_its_row() -> None:
    assert tuple(OPTIMISERS) == get_args(OptimizerName)


def test_moments_have_names_of_their_own() -> None:
    for name, kind in OPTIMISERS.items():
        assert len(set(kind.moments)) == len(kind.moments), name
        assert kind.frameworks <= set(get_args(Framework)), name


@pytest.mark.parametrize("framework", get_args(Framework))
def test_each_framework_has_some(framework: Framework) -> None:
    assert "sgd" in names_in(framework)
    assert ("muon" in names_in(framework)) == (framework == "torch")


def test_fields_are_optional_ones_of_the_settings() -> None:
    for name in FIELDS:
        assert TaughtSettings.model_fields[name].default is None
