"""Layers: each knows its forward pass, its backward pass and its price."""

from bakeoff.scratch.layers.activations import LeakyRelu, Relu, Sigmoid, Swish, Tanh
from bakeoff.scratch.layers.affine import Affine, NormalisedAffine
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.layers.convolution import Convolution
from bakeoff.scratch.layers.dropout import Dropout
from bakeoff.scratch.layers.normalisation import BatchNorm, LayerNorm
from bakeoff.scratch.layers.pooling import AveragePool, MaxPool
from bakeoff.scratch.layers.recurrent import Gru, Lstm, Rnn
from bakeoff.scratch.layers.residual import Residual
from bakeoff.scratch.layers.shape import Flatten

__all__ = [
    "Affine",
    "AveragePool",
    "BatchNorm",
    "Convolution",
    "Dropout",
    "Flatten",
    "Gru",
    "Layer",
    "LayerNorm",
    "LeakyRelu",
    "Lstm",
    "MaxPool",
    "NormalisedAffine",
    "Relu",
    "Residual",
    "Rnn",
    "Shape",
    "Sigmoid",
    "Swish",
    "Tanh",
]
