"""Layers: each knows its forward pass, its backward pass and its price."""

from bakeoff.scratch.layers.activations import Relu
from bakeoff.scratch.layers.affine import Affine, NormalisedAffine
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.layers.shape import Flatten

__all__ = ["Affine", "Flatten", "Layer", "NormalisedAffine", "Relu", "Shape"]
