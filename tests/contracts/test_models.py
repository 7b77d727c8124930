"""What every model promises, tried on each of them: a new one is found by itself."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.models import MODELS, build
from bakeoff.models.macs import count_macs, profile
from bakeoff.models.settings import ModelSettings
from bakeoff.techniques import TECHNIQUES, find
from bakeoff.training.torch.initialise import initialise

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "bakeoff" / "models"
SHAPES = [(12, 12, 1), (28, 28, 1), (32, 32, 3)]
CLASSES = 7
NOT_MODELS = {
    *("__init__", "attention", "causal", "generation", "language", "layers", "lora", "macs"),
    *("pretrained", "recurrent", "settings", "text_encoder", "token_cnn", "used_rows"),
    *("fused_attention", "mapped", "resting"),
}

Shape = tuple[int, int, int]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks are quickest, and quick beside other work, on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# One name for each architecture: the deeper ones of a family are its blocks again.
ARCHITECTURES = sorted({home: name for name, home in reversed(MODELS.items())}.values())


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def settings_of(name: str) -> ModelSettings:
    """A model's defaults, read as any study reads them."""
    for technique in map(find, TECHNIQUES):
        if "model" in technique.settings.model_fields:
            try:
                settings = technique.settings.parse({"model": {"name": name}})
            except InputError:
                continue
            model: ModelSettings = settings.model  # type: ignore[attr-defined]
            return model
    raise AssertionError(f"no technique can be told to use the model {name}")


def fresh(name: str, shape: Shape, classes: int = CLASSES, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng([]):
        module = build(settings_of(name), shape, classes)
    initialise(module, Streams(seed), {"output": "lecun"})
    return module


def images(shape: Shape, count: int = 5) -> Tensor:
    height, width, channels = shape
    generator = torch.Generator().manual_seed(0)
    return torch.randn((count, channels, height, width), generator=generator)


def test_every_model_of_the_folder_is_listed() -> None:
    files = {path.stem for path in PACKAGE.glob("*.py")} - NOT_MODELS
    homes = {home.split(":")[0].rpartition(".")[2] for home in MODELS.values()}
    assert homes <= files
    classes = {
        path.stem
        for path in PACKAGE.glob("*.py")
        if path.stem in files and "def features(" in path.read_text(encoding="utf-8")
    }
    assert homes == classes


def test_settings_name_their_model(name: str) -> None:
    settings = settings_of(name)
    assert settings.name == name
    assert type(settings).__doc__


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_shapes(name: str, shape: Shape) -> None:
    module = fresh(name, shape).eval()
    with torch.inference_mode():
        logits = module(images(shape))
        features = module.features(images(shape))  # type: ignore[operator]
    assert logits.shape == (5, CLASSES)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    assert features.ndim == 2
    assert len(features) == 5


def test_documented(name: str) -> None:
    module = type(fresh(name, SHAPES[0]))
    assert vars(module).get("__doc__")
    for function in ("forward", "features"):
        text = getattr(module, function).__doc__
        assert text
        assert "(B, " in text, f"{module.__name__}: a forward function says which shapes it takes"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_parameters_and_macs(name: str, shape: Shape) -> None:
    height, width, channels = shape
    module = fresh(name, shape).eval()
    layers = profile(module, (channels, height, width))
    counted = sum(parameter.numel() for parameter in module.parameters())
    assert sum(layer.parameters for layer in layers) == counted
    assert sum(layer.trained_parameters for layer in layers) == sum(
        parameter.numel() for parameter in module.parameters() if parameter.requires_grad
    )
    one = images(shape, 1)
    with torch.no_grad():
        assert sum(layer.macs for layer in layers) == count_macs(lambda: module(one))
    assert layers[-1].output == (CLASSES,)


def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    module, other = fresh(name, SHAPES[1]).eval(), fresh(name, SHAPES[1], seed=1).eval()
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    x = images(SHAPES[1])
    with torch.inference_mode():
        assert not torch.equal(other(x), module(x))
        other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        assert torch.equal(other(x), module(x))


def test_same_seed_same_weights(name: str) -> None:
    first, second = fresh(name, SHAPES[0]), fresh(name, SHAPES[0])
    assert first.state_dict().keys() == second.state_dict().keys()
    for path, values in first.state_dict().items():
        assert torch.equal(values, second.state_dict()[path]), path


def test_gradients_reach_every_parameter_that_learns(name: str) -> None:
    module = fresh(name, SHAPES[1]).train()
    labels = torch.arange(5) % CLASSES
    loss = nn.functional.cross_entropy(module(images(SHAPES[1])), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    for path, parameter in module.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None, path
            continue
        assert parameter.grad is not None, path
        assert torch.isfinite(parameter.grad).all(), path
        assert parameter.grad.abs().max() > 0, path


def test_learns_one_batch_by_heart(name: str) -> None:
    """The loss falls, and in the end every label of the batch is known."""
    shape = SHAPES[0]
    module = fresh(name, shape).train()
    x, labels = images(shape, 21), torch.arange(21) % CLASSES
    optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)
    losses: list[float] = []
    for step in range(120):  # scaled logits take longer than others
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(module(x), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
        if step >= 59 and np.mean(losses[-5:]) < 0.05 * losses[0]:
            break
    assert np.mean(losses[-5:]) < 0.1 * np.mean(losses[:3])
    assert losses[-1] < 0.2
    with torch.inference_mode():
        assert (module.eval()(x).argmax(1) == labels).all()


def test_too_small_images_are_refused(name: str) -> None:
    """A model that needs a least size says so; one that does not takes a single pixel."""
    refusal, module = None, None
    try:
        module = fresh(name, (1, 1, 1)).eval()
    except InputError as error:
        refusal = str(error)
    if module is None:
        assert refusal is not None
        assert f"model {name}" in refusal
        assert "1 x 1" in refusal
    else:
        assert module(torch.zeros(1, 1, 1, 1)).shape == (1, CLASSES)
