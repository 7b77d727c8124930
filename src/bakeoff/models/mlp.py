"""A multi-layer perceptron on the pixels of an image.

Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors";
batch norm before the activation as in Ioffe and Szegedy 2015, dropout behind it as in Srivastava
et al. 2014.
"""

import torch
from torch import Tensor, nn

from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import MlpSettings


class Mlp(nn.Module):
    """Linear layers with an activation behind each but the last.

    Args:
        settings: Units, activation, batch norm, dropout.
        shape: (H, W, C) of one image.
        classes: K.
    """

    def __init__(self, settings: MlpSettings, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        height, width, channels = shape
        units = height * width * channels
        norm = settings.batch_norm
        self.hidden = nn.ModuleList()
        for outputs in settings.hidden:
            # The norm takes biases off again.
            layers: list[nn.Module] = [nn.Linear(units, outputs, bias=not norm)]
            layers += [nn.BatchNorm1d(outputs)] if norm else []
            layers += [ACTIVATIONS[settings.activation](), nn.Dropout(settings.dropout)]
            self.hidden.append(nn.Sequential(*layers))
            units = outputs
        self.output = nn.Linear(units, classes)

    def features(self, images: Tensor) -> Tensor:
        """What the last hidden layer says: (B, C, H, W) float -> (B, D) float."""
        x = torch.flatten(images, 1)  # (B, C * H * W)
        for layer in self.hidden:
            x = layer(x)
        return x

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.output(self.features(images))
        return logits
