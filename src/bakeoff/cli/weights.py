"""A pretrained language model for a command: found, checked, loaded, on its device."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from bakeoff.core.recipe import DeviceName


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A causal model with its tokenizer.

    Args:
        name: As the user wrote it.
        module: In evaluation mode, on its device.
        tokenizer: Of the same folder.
        limit: The most tokens it sees.
    """

    name: str
    module: "nn.Module"
    tokenizer: Any
    limit: int

    def encode(self, text: str) -> "NDArray[np.int64]":
        """(T,) the ids of a text, with what its tokenizer puts around it.

        Raises:
            InputError: where they are fewer than two: nothing could be foretold.
        """
        import numpy as np

        from bakeoff.core.errors import InputError

        ids = np.asarray(self.tokenizer(text, verbose=False)["input_ids"], np.int64)
        if len(ids) < 2:
            raise InputError(f"the text has {len(ids)} tokens, at least two are needed")
        return ids

    def prompt(self, text: str) -> list[int]:
        """The ids of a text to be continued; of an empty one, the token that begins texts.

        Raises:
            InputError: where the model cannot see so many, or there is nothing to begin with.
        """
        from bakeoff.core.errors import InputError

        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InputError(f"the prompt {text!r:.60} is no valid UTF-8")
        tokenizer = self.tokenizer
        ids = list(tokenizer(text, verbose=False)["input_ids"])
        if not ids:
            begin = tokenizer.bos_token_id
            ids = [tokenizer.eos_token_id if begin is None else begin]
        if ids == [None]:
            raise InputError("the prompt has no tokens, and no token begins or ends texts")
        if len(ids) >= self.limit:
            raise InputError(
                f"the prompt has {len(ids):,} tokens, but the model sees {self.limit:,} at most "
                f"(allowed: up to {self.limit - 1:,}, so that one can follow)"
            )
        return ids


def load_language_model(name: str, device: "DeviceName") -> LanguageModel:
    """Load weights by path or hub id, with bit-equal results from run to run.

    Args:
        name: Of the weights.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        InputError: where there are none, they predict no tokens, are unsafe to load, or have
            another vocabulary than their tokenizer; and where a device is not there.
    """
    import torch

    from bakeoff.models.pretrained import find_pretrained, load_causal, load_tokenizer
    from bakeoff.training.torch.numerics import resolve_device_and_precision

    found = find_pretrained(name)
    chosen, _ = resolve_device_and_precision(device, "float32")
    tokenizer = load_tokenizer(found)
    module = load_causal(found).to(torch.device(chosen))
    return LanguageModel(name, module, tokenizer, found.limit)
