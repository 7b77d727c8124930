"""`bakeoff profile`: parameters and MACs against closed forms."""

import json

import pytest
from tests.cli.calling import Caller, assert_clear

from bakeoff.cli.profile import parse_shape, per_example
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import LayerProfile
from bakeoff.models import MODELS
from bakeoff.techniques import TECHNIQUES


def document(bakeoff: Caller, *arguments: str) -> dict[str, object]:
    called = bakeoff("profile", *arguments, "--json")
    assert called.code == 0, called
    content: dict[str, object] = json.loads(called.out)
    return content


@pytest.mark.parametrize("name", sorted({*MODELS, *TECHNIQUES}))
def test_every_model_and_technique(bakeoff: Caller, name: str) -> None:
    classes = ("--classes", "2") if name == "logistic" else ()
    called = bakeoff("profile", name, *classes)
    assert called.code == 0
    assert called.err == ""
    lines = called.out.splitlines()
    assert lines[0].split() == [
        "layer", "kind", "input", "output", "weights", "parameters", "MACs",
    ]  # fmt: skip
    assert any(line.startswith("total") for line in lines)
    found = document(bakeoff, name, *classes)
    assert found["model"] == name
    layers = found["layers"]
    assert isinstance(layers, list)
    assert found["parameters"] == sum(layer["parameters"] for layer in layers)
    assert found["macs"] == sum(layer["macs"] for layer in layers)


def test_softmax(bakeoff: Caller) -> None:
    found = document(bakeoff, "softmax", "--input", "8x8x1", "--classes", "10")
    assert found["parameters"] == 64 * 10 + 10
    assert found["macs"] == 64 * 10


def test_settings(bakeoff: Caller) -> None:
    found = document(bakeoff, "mlp", "--input", "4x4x1", "--set", "model.hidden=[8, 5]")
    assert found["macs"] == 16 * 8 + 8 * 5 + 5 * 10


def test_resnet20(bakeoff: Caller) -> None:
    """He et al. 2016: 0.27 million parameters; the sums are worked out in docs/counting.md."""
    found = document(bakeoff, "resnet20")
    assert (found["parameters"], found["macs"]) == (269_722, 40_551_040)
    layers = found["layers"]
    assert isinstance(layers, list)
    rows = {layer["name"]: layer for layer in layers}
    strided = rows["stage2.0.conv1"]
    assert (strided["input"], strided["output"]) == ([16, 32, 32], [32, 16, 16])
    assert strided["weights"] == {"weight": [32, 16, 3, 3]}
    assert strided["macs"] == 16 * 16 * 32 * 16 * 9
    assert rows["output"]["parameters"] == 64 * 10 + 10
    projected = document(bakeoff, "resnet20", "--set", "model.shortcut=B")
    assert projected["parameters"] == 272_474


def test_a_model_is_what_its_technique_builds(bakeoff: Caller) -> None:
    model = document(bakeoff, "simple-cnn", "--input", "8x8x1", "--set", "model.width=4")
    technique = document(bakeoff, "cnn", "--input", "8x8x1", "--set", "model.width=4")
    assert model["layers"] == technique["layers"]


def test_a_name_of_a_technique_and_of_a_model(bakeoff: Caller) -> None:
    """Both can be had, and who asks for one is told how to see the other."""
    out = " ".join(bakeoff("profile", "mlp").out.split())
    assert "bakeoff profile cnn --set model.name=mlp" in out
    assert "The model of that name" not in bakeoff("profile", "cnn").out
    assert "The model of that name" not in bakeoff("profile", "lenet").out
    model = document(bakeoff, "cnn", "--set", "model.name=mlp")
    assert model["parameters"] == 1_707_274, "as docs/vision.md has it"
    assert document(bakeoff, "mlp")["parameters"] != model["parameters"]


def test_majority_keeps_a_number_a_class(bakeoff: Caller) -> None:
    found = document(bakeoff, "majority", "--classes", "3")
    assert (found["parameters"], found["macs"]) == (3, 0)


def test_neighbours_grow_with_the_examples(bakeoff: Caller) -> None:
    out = bakeoff("profile", "knn", "--input", "8x8x1").out
    assert "64 n" in out
    assert "n: training examples; knn keeps and compares with all of them." in out
    assert document(bakeoff, "knn", "--input", "8x8x1")["per_training_example"] == 64


def test_per_example() -> None:
    fixed = LayerProfile("a", "a", (), (), {"w": (3, 4), "b": ()}, 13)
    assert per_example(fixed) == 0
    growing = LayerProfile("a", "a", (), (), {"vectors": (0, 3, 4), "labels": (0,)})
    assert per_example(growing) == 13


def test_shapes() -> None:
    assert parse_shape("8x9x3") == (8, 9, 3)
    for text in ("8x8", "8x8x8x8", "axbxc", "8x0x1", "-1x8x3", ""):
        with pytest.raises(InputError, match="HEIGHTxWIDTHxCHANNELS"):
            parse_shape(text)


def test_refusals(bakeoff: Caller) -> None:
    assert "did you mean 'softmax'?" in assert_clear(bakeoff("profile", "softmx"))
    assert "--input 8x8" in assert_clear(bakeoff("profile", "cnn", "--input", "8x8"))
    vast = assert_clear(bakeoff("profile", "mlp", "--input", "99999999x99999999x3"))
    assert "(allowed: 10000000)" in vast
    assert "--classes" in assert_clear(bakeoff("profile", "cnn", "--classes", "1"))
    error = assert_clear(bakeoff("profile", "cnn", "--set", "model.wdth=3"))
    assert "model.wdth: unknown field; did you mean 'width'?" in error
    assert "at least 4 x 4" in assert_clear(bakeoff("profile", "cnn", "--input", "2x2x1"))
    assert "reads images" in assert_clear(bakeoff("profile", "resnet20", "--input", "32"))
    assert "reads texts" in assert_clear(bakeoff("profile", "lstm", "--input", "8x8x3"))
    assert "rows of numbers" in assert_clear(bakeoff("profile", "lms", "--input", "8x8x3"))
