"""Torch modules by name, and nothing else; torch loads when one is built.

An image model is an `nn.Module` made from (settings, shape (H, W, C), classes K) with

- `forward(images)`: (B, C, H, W) float32 -> logits (B, K), unnormalised;
- `features(images)`: the same input -> (B, D), what the last hidden layer says;
- `adapt(images)`, where it has one: the same input, once, before it learns, to set what depends on
  the data (`models.speedrun.Adapting`).

A new model is a file here, its settings in `models.settings`, and a line below.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bakeoff.models.settings import ModelSettings

if TYPE_CHECKING:
    from torch import nn

MODELS = {
    "lenet": "bakeoff.models.lenet:LeNet",
    "mlp": "bakeoff.models.mlp:Mlp",
    "resnet20": "bakeoff.models.resnet:ResNet",
    "resnet32": "bakeoff.models.resnet:ResNet",
    "resnet44": "bakeoff.models.resnet:ResNet",
    "resnet56": "bakeoff.models.resnet:ResNet",
    "resnet110": "bakeoff.models.resnet:ResNet",
    "simple-cnn": "bakeoff.models.simple_cnn:SimpleCnn",
    "simple-nn": "bakeoff.models.simple_nn:SimpleNn",
    "speedrun": "bakeoff.models.speedrun:Speedrun",
    "vgg-encoder": "bakeoff.models.vgg_encoder:VggEncoder",
}


def build(settings: ModelSettings, shape: tuple[int, int, int], classes: int) -> "nn.Module":
    """The model that `settings.name` names, with torch's own initial weights.

    Args:
        settings: Of the model.
        shape: (H, W, C) of one image.
        classes: K.

    Raises:
        InputError: where the model cannot take images of this shape.
    """
    module, name = MODELS[settings.name].split(":")
    model: nn.Module = getattr(import_module(module), name)(settings, shape, classes)
    return model
