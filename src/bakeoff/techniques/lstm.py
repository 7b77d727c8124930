"""A recurrent network on the words of a text, from random weights, in torch.

Words get their numbers from the training texts alone. Training is the one loop: cross-entropy,
dropout by name; predictions of a text depend on that text alone (`training.torch.token_inference`).
Torch loads when something is fitted, loaded or profiled, not with the settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items, Modality
from bakeoff.core.frozen import plain
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.protocols import Batch, LayerProfile, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Settings
from bakeoff.core.streams import Streams
from bakeoff.data.batches import evaluation_batches
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples
from bakeoff.data.vocabulary import (
    SequenceSettings,
    Vocabulary,
    cut_notes,
    read_words,
    sequence_notes,
)
from bakeoff.models.settings import RecurrentSettings
from bakeoff.techniques.saved import read_predictor, texts_of, write_predictor
from bakeoff.techniques.teachers import extra_texts, teaching_of
from bakeoff.techniques.words import numbered
from bakeoff.training.settings import TaughtSettings

if TYPE_CHECKING:
    from bakeoff.training.torch.token_inference import TokenInference

ROWS = 64
"""Texts of the longest passes of an evaluation."""
EVALUATION_BATCH = 4096
"""Texts that are sorted by length together, when the validation examples are looked at."""
MULTIPLE = 16
"""Texts are padded to the next multiple of it when they are predicted."""
WORDS = "vocabulary"
"""What the saved vocabulary is called among the arrays."""


class LstmTraining(TaughtSettings):
    """How the network trains."""

    epochs: Annotated[int, Field(ge=1)] | None = 5
    batch_size: Annotated[int, Field(ge=1)] = 64
    optimizer: OptimizerName = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    sampling: Literal["shuffle"] = "shuffle"
    batches: Literal["buckets", "packed", "padded"] = "buckets"
    """Which texts pass together, and what becomes of padding. `buckets`: texts of about one length,
    padded to the longest of them; `packed`: any texts, padding left out word by word; `padded`: any
    texts, all of them padded to `words.length`."""


class LstmSettings(Settings):
    """Of the recurrent network."""

    words: SequenceSettings = SequenceSettings()
    model: RecurrentSettings = RecurrentSettings()
    training: LstmTraining = LstmTraining()


class RecurrentPredictor:
    """A recurrent network with the words it knows.

    Args:
        settings: Of the technique: with vocabulary and classes, all it is built from.
        vocabulary: Of the training texts.
        inference: The network.
        classes: The K class names.
    """

    def __init__(
        self,
        settings: LstmSettings,
        vocabulary: Vocabulary,
        inference: "TokenInference",
        classes: Sequence[str],
    ) -> None:
        self.settings, self.vocabulary = settings, vocabulary
        self.inference, self.classes = inference, tuple(classes)

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of N texts.

        Raises:
            InputError: where the items are no texts.
        """
        words = self.settings.words
        read = read_words(texts_of(items, Lstm.name), words)
        return self.inference.probabilities(self.vocabulary.tokens(read, words).padded(-1))

    def cut_notes(self, items: Items) -> list[str]:
        """How many of N texts are longer than is read."""
        words = self.settings.words
        return cut_notes(read_words(texts_of(items, Lstm.name), words), words, "texts")

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer, for a text of `words.length` words: the longest that is read.

        The embedding looks up, and multiplies nothing.
        """
        import torch

        from bakeoff.models.macs import profile

        return profile(self.inference.module, (self.settings.words.length,), torch.int64)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        from bakeoff.training.torch.arrays import named_tensors, to_arrays

        weights = to_arrays(named_tensors(self.inference.module))
        arrays: dict[str, NDArray[Any]] = {f"network.{name}": w for name, w in weights.items()}
        state = {
            "technique": Lstm.name,
            "settings": plain(self.settings),
            "classes": list(self.classes),
            "precision": self.inference.precision,
        }
        write_predictor(folder, arrays | {WORDS: self.vocabulary.to_array()}, state)


class Lstm:
    """A recurrent network on texts."""

    name: ClassVar[str] = "lstm"
    version: ClassVar[int] = 5
    """2: batches have one of a few widths; 3: the longest comes first; 4: words in all scripts that
    have spaces; 5: other draws of dropout."""
    settings: ClassVar[type[Settings]] = LstmSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "recurrent network on words, from random weights (torch)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> RecurrentPredictor:
        """Number the words in one phase, `words`, then train in another, `train`.

        A teacher speaks in one before both; its extra texts are training texts without labels, so
        their words count, too.

        Raises:
            InputError: where the data are no texts, or the teacher tells other classes apart.
        """
        from bakeoff.training.plan import plan
        from bakeoff.training.torch.losses import cross_entropy_of
        from bakeoff.training.torch.step import TorchStep

        settings = cast(LstmSettings, cell.recipe.settings)
        words, training = settings.words, settings.training
        known = texts_of(data.train.items, self.name)
        teaching = teaching_of(training.teacher, cell, data, inputs, run)
        extra = teaching.extra if teaching else ()
        vocabulary, tokens = numbered(run, [*known, *extra], words)
        labels = np.pad(data.train.labels, (0, len(extra)))  # of texts without one, it is not read
        train = TokenExamples(tokens, labels)
        validation = self._matrix(data.validation, vocabulary, words)
        classes = data.task.classes
        inference = _inference(settings, len(classes), cell.recipe.numerics)
        _draw(inference, run.streams)
        if (cell.recipe.numerics.precision, inference.precision) == ("bfloat16", "float32"):
            run.remark(["computed in float32: this processor has no units for bfloat16"])
        loss = cross_entropy_of(training, teaching)
        step = TorchStep(inference, training, run.streams, loss=loss)
        buckets = training.batches == "buckets"
        batches = PaddedBatches(
            TokenBatches(train, training.batch_size, run.streams, buckets=buckets),
            words.length if training.batches == "padded" else None,
        )

        def validating() -> Iterator[Batch]:
            return iter(evaluation_batches(validation, EVALUATION_BATCH))

        run.loop("train", step, batches, plan(training, batches, data.task, validating))
        step.keep()
        return RecurrentPredictor(settings, vocabulary, inference, classes)

    def _matrix(
        self, examples: Examples, vocabulary: Vocabulary, words: SequenceSettings
    ) -> Examples:
        """Examples with numbers of words (N, T) int32, then -1, in place of texts."""
        read = read_words(texts_of(examples.items, self.name), words)
        items = vocabulary.tokens(read, words).padded(-1)
        return Examples(items, examples.labels, examples.ids)

    def load(self, folder: Path, device: DeviceName = "auto") -> RecurrentPredictor:
        """A saved predictor, back.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        from bakeoff.training.torch.arrays import copy_into, named_tensors

        arrays, state = read_predictor(folder, self.name)
        try:
            vocabulary = Vocabulary.from_array(arrays.pop(WORDS))
            settings = LstmSettings.parse(state["settings"])
            numerics = Numerics(device=device, precision=state["precision"])
            inference = _inference(settings, len(state["classes"]), numerics)
            weights = {name.removeprefix("network."): w for name, w in arrays.items()}
            copy_into(named_tensors(inference.module), weights)
        except (KeyError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return RecurrentPredictor(settings, vocabulary, inference, state["classes"])

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> RecurrentPredictor:
        """A network with the initial weights of seed 0, that knows no word."""
        chosen = cast(LstmSettings, settings)
        inference = _inference(chosen, classes, Numerics())
        _draw(inference, Streams(0))
        names = [str(i) for i in range(classes)]
        return RecurrentPredictor(chosen, Vocabulary(()), inference, names)

    def notes(self, settings: Settings, data: TrainingData) -> tuple[str, ...]:
        """How many words are known, and how many texts are cut."""
        chosen = cast(LstmSettings, settings)
        words, known = chosen.words, texts_of(data.train.items, self.name)
        read = read_words([*known, *extra_texts(chosen.training.teacher)], words)
        return sequence_notes(read, Vocabulary.of(read, words), words)


def _draw(inference: "TokenInference", streams: Streams) -> None:
    """Give the network its initial weights."""
    from bakeoff.training.torch.initialise import initialise

    initialise(inference.module, streams, {"output": "lecun"})


def _inference(settings: LstmSettings, classes: int, numerics: Numerics) -> "TokenInference":
    """The network on its device; its weights are still to be set.

    In float32 where the device has no units for bfloat16: torch has no LSTM in it there.
    """
    import torch

    from bakeoff.models.recurrent import Recurrent
    from bakeoff.training.torch.numerics import has_bfloat16_units, resolve_device_and_precision
    from bakeoff.training.torch.token_inference import TokenInference

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    precision = precision if has_bfloat16_units(device) else "float32"
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        module = Recurrent(settings.model, settings.words.size, classes)
    module.packed = settings.training.batches == "packed"
    return TokenInference(module, torch.device(device), precision, rows=ROWS, multiple=MULTIPLE)
