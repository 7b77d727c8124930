"""The models' settings, and the dictionary they are found by."""

import json
import subprocess
import sys

import pytest

from bakeoff.core.errors import InputError
from bakeoff.models import MODELS, build
from bakeoff.models.settings import SimpleCnnSettings

SETTINGS = [SimpleCnnSettings]


def test_every_model_has_settings_and_every_settings_a_model() -> None:
    assert {settings().name for settings in SETTINGS} == set(MODELS)


def test_every_model_can_be_built() -> None:
    for settings in SETTINGS:
        assert (
            type(build(settings(), (8, 8, 3), 2)).__module__
            == MODELS[settings().name].split(":")[0]
        )


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
