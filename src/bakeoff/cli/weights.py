"""A language model for a command: pretrained weights as they are, or what a recipe made of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.core.recipe import DeviceName
    from bakeoff.models.language import Causal


@dataclass(frozen=True)
class LanguageModel:
    """A causal model at work.

    Args:
        causal: In evaluation mode, on its device, with its words.
        precision: Of matrix products where texts are scored.
        fitted: Whether a recipe fitted it: such a model has learnt texts with nothing put before
            them.
    """

    causal: "Causal"
    precision: str
    fitted: bool

    def prompt(self, text: str) -> list[int]:
        """The ids of a text to be continued, with what a tokenizer of its own puts around it.

        Of an empty text, the token that begins texts, or else the one that ends them.

        Raises:
            InputError: where the model cannot see so many, or the text is no valid UTF-8.
        """
        from bakeoff.core.errors import InputError

        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InputError(f"the prompt {text!r:.60} is no valid UTF-8")
        words, limit = self.causal.words, self.causal.limit
        ids = words.encode(text, around=not self.fitted)
        if not ids:
            ids = [words.end if words.begin is None or self.fitted else words.begin]
        if len(ids) >= limit:
            raise InputError(
                f"the prompt has {len(ids):,} tokens, but the model sees {limit:,} at most "
                f"(allowed: up to {limit - 1:,}, so that one can follow)"
            )
        return ids


def load_language_model(name: str, device: "DeviceName") -> LanguageModel:
    """Load a model, with bit-equal results from run to run.

    Args:
        name: Of pretrained weights, by path or hub id; of a folder of adapters in peft's format,
            which names the weights they belong to; or of a fitted recipe, a cell's folder or
            DIR:recipe[:seed].
        device: `auto`, `cpu` or `cuda`.

    Raises:
        InputError: where there are none, they predict no tokens, are unsafe to load, or have
            another vocabulary than their tokenizer; and where a device is not there.
    """
    import torch

    from bakeoff.study.predict import names_run
    from bakeoff.training.torch.numerics import resolve_device_and_precision

    if names_run(name):
        found = _fitted(name)
        if device == "auto":
            return found
    else:
        found = LanguageModel(_by_name(name), "float32", fitted=False)
    chosen, _ = resolve_device_and_precision(device, "float32")
    found.causal.module.to(torch.device(chosen))
    return found


def _by_name(name: str) -> "Causal":
    """Pretrained weights, with adapters beside them where the name is that of their folder.

    Raises:
        InputError: where there are none, or adapters do not fit the weights that they name.
    """
    from bakeoff.models.language import pretrained_causal
    from bakeoff.models.lora import base_of, load_adapters
    from bakeoff.models.pretrained import find_pretrained

    base = base_of(Path(name))
    if base is None:
        return pretrained_causal(find_pretrained(name))
    causal = pretrained_causal(find_pretrained(base))
    load_adapters(causal.module, Path(name))
    causal.module.eval()
    return causal


def _fitted(run: str) -> LanguageModel:
    """What a cell of the technique `language-model` left.

    Raises:
        InputError: where the cell is none of these, or diverged before it had any weights.
    """
    from bakeoff.core.errors import InputError
    from bakeoff.study.predict import load_fitted
    from bakeoff.techniques.language_model import LanguagePredictor

    cell = load_fitted(run)
    predictor = cell.predictor
    if not isinstance(predictor, LanguagePredictor):
        why = "it diverged before there were weights" if cell.record.status == "diverged" else ""
        why = why or f"its technique is {cell.record.recipe['technique']}"
        raise InputError(f"{run}: holds no language model: {why} (needed: language-model)")
    return LanguageModel(predictor.causal, predictor.precision, fitted=True)
