"""The settings of every model, without torch."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from bakeoff.core.frozen import Frozen

Width = Annotated[int, Field(ge=1, le=1024)]
Activation = Literal["relu", "leaky-relu", "elu", "swish", "gelu", "tanh"]


class NamedWeights(Frozen):
    """Base of what names pretrained weights: their content is a part of a cell's key."""

    weights: str | None


class AdapterSettings(Frozen):
    """Base of a section `adapt`: what of pretrained weights learns, and updates beside layers.

    Each technique has the methods that it knows; all have the fields of `lora`.
    """

    method: str
    """`none`: not even the head learns; `head`: it alone; `lora`: low-rank updates, and a head;
    `full`: all weights."""
    rank: Annotated[int, Field(ge=1)] = 8
    """Of `lora`: the update of a layer is a product of matrices this narrow."""
    alpha: Annotated[float, Field(gt=0)] = 16.0
    """Of `lora`: updates are scaled by alpha / rank."""
    targets: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Of `lora`: names of layers; `all`: all linear layers of the body, whatever its family calls
    them; None: the projections of queries and values."""

    @model_validator(mode="after")
    def _updates_of_lora_alone(self) -> "AdapterSettings":
        given = [
            name
            for name, field in type(self).model_fields.items()
            if name != "method" and getattr(self, name) != field.default
        ]
        if given and self.method != "lora":
            raise ValueError(
                f"{', '.join(given)} received with method {self.method}, which puts nothing beside "
                "layers (allowed: with lora)"
            )
        return self


class LeNetSettings(Frozen):
    """LeNet-5: two convolutions, two poolings, three fully connected layers; 61,706 parameters."""

    name: Literal["lenet"] = "lenet"
    activation: Activation = "relu"
    """Behind every layer that has one."""


class MlpSettings(Frozen):
    """Fully connected layers alone."""

    name: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (512, 256)
    """Units of each hidden layer."""
    activation: Activation = "relu"
    """Behind every layer that has one."""
    batch_norm: bool = False
    """Batch norm behind every hidden layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the outputs of each hidden layer that is dropped in training."""


class RecurrentSettings(Frozen):
    """A recurrent network that reads a text word by word."""

    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    """`rnn`: Elman 1990, with tanh; `gru`: Cho et al. 2014; `lstm`: Hochreiter and Schmidhuber
    1997, with Gers, Schmidhuber and Cummins' forget gate of 2000."""
    embedding: Annotated[int, Field(ge=1)] = 128
    """Numbers that stand for a word."""
    hidden: Annotated[int, Field(ge=1)] = 128
    """Units of a layer, in each direction."""
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    """One above the other."""
    bidirectional: bool = True
    """Each layer also reads from the end to the beginning."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share that is dropped in training: of the words' numbers, between layers, and of what the
    output layer reads."""
    pooling: Literal["last", "mean", "max"] = "max"
    """What becomes of a text's states: the last one (of each direction), their mean, or the
    greatest value of each unit."""


class ResNetSettings(Frozen):
    """Residual networks for small images: 6n + 2 layers in three stages."""

    name: Literal["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"] = "resnet20"
    shortcut: Literal["A", "B"] = "A"
    """Where a stage begins: `A` subsamples and pads with zeros, `B` is a 1 x 1 convolution."""
    width: Annotated[int, Field(ge=1, le=1024)] = 16
    """Channels of the first stage; each stage doubles them."""
    activation: Activation = "relu"
    """Behind every layer that has one."""

    @property
    def blocks(self) -> int:
        """n: residual blocks in each of the three stages."""
        return (int(self.name.removeprefix("resnet")) - 2) // 6


class SimpleCnnSettings(Frozen):
    """Two convolutions, two poolings, three fully connected layers."""

    name: Literal["simple-cnn"] = "simple-cnn"
    width: Annotated[int, Field(ge=1, le=1024)] = 32
    """Channels of the first convolution; the other layers grow with it."""
    batch_norm: bool = False
    """Batch norm after both convolutions."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the inputs of each fully connected layer that is dropped in training."""
    activation: Activation = "relu"
    """Behind every layer that has one."""


class SimpleNnSettings(Frozen):
    """Three convolutions, three poolings, two fully connected layers, all written out by hand."""

    name: Literal["simple-nn"] = "simple-nn"
    width: Annotated[int, Field(ge=1, le=1024)] = 16
    """Channels of the first convolution; the others have two and four times as many."""
    hidden: Annotated[int, Field(ge=1)] = 128
    """Units of the hidden layer."""
    activation: Activation = "relu"
    """Behind every layer that has one."""


class SpeedrunSettings(Frozen):
    """Whitening filters, three wide blocks, global max-pooling: much accuracy in few epochs."""

    name: Literal["speedrun"] = "speedrun"
    widths: tuple[Width, Width, Width] = (64, 256, 256)
    """Channels of the three blocks."""
    window: Annotated[int, Field(ge=1, le=7)] = 2
    """Side of the first filters in pixels."""
    whitening: bool = True
    """The first filters whiten patches of the training images and do not learn; otherwise they are
    drawn and learn."""
    identity: bool = True
    """The first channels of every 3 x 3 convolution begin as copies of its inputs."""
    activation: Activation = "gelu"
    """Behind every layer that has one."""
    scale: Annotated[float, Field(gt=0)] = 1 / 9
    """Of the logits, which global max-pooling makes large."""


class VggEncoderSettings(Frozen):
    """Four convolutions in two blocks, then two fully connected layers down to a vector."""

    name: Literal["vgg-encoder"] = "vgg-encoder"
    dimension: Annotated[int, Field(ge=1)] = 128
    """Numbers of the vector an image becomes."""
    hidden: Annotated[int, Field(ge=1)] = 4096
    """Units of the hidden layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the inputs of the last layer that is dropped in training."""
    activation: Activation = "relu"
    """Behind every layer that has one."""


ModelSettings: TypeAlias = Annotated[
    LeNetSettings
    | MlpSettings
    | ResNetSettings
    | SimpleCnnSettings
    | SimpleNnSettings
    | SpeedrunSettings
    | VggEncoderSettings,
    Field(discriminator="name"),
]
"""What `model:` may hold; `name` tells them apart."""


class CausalSettings(NamedWeights):
    """A causal language model: pretrained weights, or drawn ones of a model that reads bytes."""

    weights: str | None = None
    """A folder in the layout of Hugging Face, or a hub id; None: a drawn model of bytes."""
    fresh: bool = False
    """The architecture and the tokenizer of `weights`, with drawn weights."""
    kind: Literal["gpt2", "llama"] = "gpt2"
    """The architecture of a drawn model."""
    layers: Annotated[int, Field(ge=1)] = 2
    """Blocks of a drawn model."""
    width: Annotated[int, Field(ge=1)] = 64
    """Numbers of a token's vector; a multiple of the heads (in `llama` an even one)."""
    heads: Annotated[int, Field(ge=1)] = 4
    """Of attention, in each block."""

    @model_validator(mode="after")
    def _of_one_origin(self) -> "CausalSettings":
        sizes = ("kind", "layers", "width", "heads")
        given = [name for name in sizes if name in self.model_fields_set]
        changed = [n for n in given if getattr(self, n) != type(self).model_fields[n].default]
        if self.weights is not None and changed:
            raise ValueError(
                f"{', '.join(changed)}: received with weights, which say it themselves"
            )
        if self.weights is None and self.fresh:
            raise ValueError("fresh: received without weights (a drawn model is fresh)")
        if self.width % self.heads or (self.kind == "llama" and self.width // self.heads % 2):
            raise ValueError(
                f"width {self.width} received with {self.heads} heads of {self.kind} (allowed: a "
                f"multiple of {self.heads if self.kind == 'gpt2' else 2 * self.heads})"
            )
        return self
