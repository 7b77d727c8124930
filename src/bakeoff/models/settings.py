"""The settings of every model, without torch."""

from typing import Annotated, Literal

from pydantic import Field

from bakeoff.core.frozen import Frozen

Activation = Literal["relu", "leaky-relu", "elu", "swish", "gelu", "tanh"]


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


ModelSettings = SimpleCnnSettings
"""What `model:` may hold. Further models join as a union told apart by `name`."""
