"""Convolutions over the vectors of a text's tokens, for a small classifier on a frozen encoder.

Source: Kim 2014, "Convolutional neural networks for sentence classification", section 2: filters of
a few widths, the greatest output of each, dropout, a linear layer.

Inputs are one tensor (B, T, D + 1): the vector of every token, then 1, every text from the left;
where there is no token, the last number is 0 and the others do not matter. So a text needs no
second tensor, and the module is trained, counted and evaluated like any other.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu


class Filters(nn.Module):
    """Standardised vectors through filters, and of each filter the greatest output.

    Every token is the middle of a window, the left one of two in an even width; a window that goes
    beyond the text sees zeros there. The greatest output is looked for among windows whose middle
    is a token, so neither padding nor what stands in it changes anything, and a text may be shorter
    than a filter.

    Args:
        mean: (D,) float32 of the vectors.
        sd: (D,) float32, positive.
        widths: Tokens that a filter sees, of each group of filters.
        filters: F of each width.
    """

    def __init__(self, mean: Tensor, sd: Tensor, widths: Sequence[int], filters: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.sd: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)
        self.of_width = nn.ModuleDict(
            {str(width): nn.Conv1d(len(mean), filters, width) for width in widths}
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, T, D + 1) float32 to (B, F * widths), not negative."""
        vectors, real = inputs[..., :-1], inputs[..., -1] > 0
        standard = ((vectors - self.mean) / self.sd).masked_fill(~real[..., None], 0.0)
        across = standard.transpose(1, 2)  # (B, D, T)
        found = []
        for width, convolution in self.of_width.items():
            before = (int(width) - 1) // 2
            outputs = relu(convolution(pad(across, (before, int(width) - 1 - before))))
            found.append(outputs.masked_fill(~real[:, None], 0.0).amax(dim=2))
        return torch.cat(found, dim=1)


class TokenCnn(nn.Module):
    """Filters, dropout, and a linear layer.

    Args:
        filters: Vectors to the greatest output of each filter.
        features: Numbers of these.
        classes: K.
        dropout: Share of them that is dropped in training.
    """

    def __init__(self, filters: Filters, features: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.filters = filters
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, T, D + 1) float32 to logits (B, K)."""
        logits: Tensor = self.output(self.dropout(self.filters(inputs)))
        return logits

    def features(self, inputs: Tensor) -> Tensor:
        """(B, F * widths): what the linear layer sees."""
        found: Tensor = self.filters(inputs)
        return found
