"""The models' settings, and the dictionary they are found by."""

import json
import subprocess
import sys
from typing import get_args

import pytest

from bakeoff.core.errors import InputError
from bakeoff.models import MODELS, build
from bakeoff.models.settings import ModelSettings, SimpleCnnSettings

SETTINGS = get_args(get_args(ModelSettings)[0])
NAMES = {name: kind for kind in SETTINGS for name in get_args(kind.model_fields["name"].annotation)}


def test_every_model_has_settings_and_every_settings_a_model() -> None:
    assert set(NAMES) == set(MODELS)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_model_can_be_built(name: str) -> None:
    built = build(NAMES[name](name=name), (12, 12, 3), 2)
    assert type(built).__module__ == MODELS[name].split(":")[0]


def test_a_resnet_says_how_many_blocks_it_has() -> None:
    names = [name for name in NAMES if name.startswith("resnet")]
    assert {name: NAMES[name](name=name).blocks for name in names} == {
        "resnet20": 3,
        "resnet32": 5,
        "resnet44": 7,
        "resnet56": 9,
        "resnet110": 18,
    }


def test_misspelt_fields_are_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'batch_norm'"):
        SimpleCnnSettings.parse({"batchnorm": True}, "model")


@pytest.mark.parametrize(
    "content", [{"width": 0}, {"dropout": 1}, {"dropout": -0.1}, {"activation": "sigmoidal"}]
)
def test_values_out_of_range_are_refused(content: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"model.{next(iter(content))}"):
        SimpleCnnSettings.parse(content, "model")


def test_names_and_settings_load_without_torch() -> None:
    program = (
        "import json, sys, bakeoff.models, bakeoff.models.settings; "
        "print(json.dumps('torch' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert json.loads(done.stdout) is False
