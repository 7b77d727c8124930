"""What techniques, steps, batches and predictors promise each other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell, Key
from bakeoff.core.examples import Examples, Items, Modality
from bakeoff.core.measures import Direction
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.core.streams import Streams
from bakeoff.core.task import Task
from bakeoff.core.tokens import Tokens

Arrays = Mapping[str, NDArray[Any]]
State = dict[str, NDArray[Any]]
"""Named arrays: weights, optimiser moments, averages. Saved as safetensors."""
Digests = NDArray[np.uint64]
"""(N,), of N items: equal for equal items (`data.hashing.item_digests`)."""
ToRows = Callable[[NDArray[np.intp]], NDArray[Any]]
"""Positions (M,) of some items to their rows (M, ...), each a function of its item alone."""
Value = Any
"""A number, or a 0-d array that may still be on its way on the device."""


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Pixels to floats: `(x / 255 - mean) / sd`, fitted on training examples only.

    Args:
        mean: (C,) or (H, W, C) float32, in 0..1.
        sd: The same shape, positive.
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]

    @property
    def scale(self) -> NDArray[np.float32]:
        """What a uint8 pixel is multiplied by."""
        return (np.float32(1) / (255 * self.sd)).astype(np.float32)

    @property
    def shift(self) -> NDArray[np.float32]:
        """What is added then: `x * scale + shift` is the normalised pixel."""
        return (-self.mean / self.sd).astype(np.float32)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, C) uint8 to float32 of the same shape."""
        out = np.multiply(images, self.scale, dtype=np.float32)
        out += self.shift
        return out


@dataclass(frozen=True, eq=False)
class TrainingData:
    """All a technique may learn from. There is no test data in it."""

    task: Task
    modality: Modality
    train: Examples
    validation: Examples
    normaliser: Normaliser | None
    """None for all but images."""
    columns: tuple[str, ...] = ()
    """Names of the D numbers of an item; empty for images and texts."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some examples: items, labels (B,), and their positions (B,) in the training set."""

    items: Items | Tokens
    labels: NDArray[Any]
    indices: NDArray[np.intp]


@dataclass(frozen=True)
class Position:
    """Where the loop is: `step` updates done before this one, in epoch `epoch`."""

    step: int
    epoch: int
    learning_rate: float
    parts: int = 1
    """Cut the batch into this many micro-batches; the update must equal the whole batch's."""
    first: int = 0
    """Place in the batch of the first example that passes: not 0 in later parts."""
    examples: int | None = None
    """Of the whole batch, where a part of it passes; None: all of it does."""


def micro_batches(count: int, parts: int) -> Iterator[slice]:
    """A batch of `count` examples in `parts` parts at most, as `Position.parts` asks.

    Returns:
        Consecutive slices, none of them empty, sizes equal but for the last.
    """
    size = -(-count // parts)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


class Step(Protocol):
    """One update, and one evaluation. Owns weights, optimiser, averages and precision."""

    splittable: bool
    """May be cut into micro-batches (not with batch norm or in-batch mining)."""

    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        """Update on a batch; returns sums over its examples: `loss`, `count`, and `correct`."""
        ...

    def evaluate(self, batch: Batch) -> NDArray[Any]:
        """The outputs of a batch, as a predictor's `predict`."""
        ...

    def state(self) -> State:
        """Everything that changes, copied."""
        ...

    def load(self, state: Arrays) -> None:
        """Put a state back, copying into existing memory."""
        ...


@runtime_checkable
class Guarded(Protocol):
    """A step that can go on where another would fail, and tells what it did for that.

    What it changes is part of its state: a step that loads it goes on in the same way.
    """

    notes: list[str]
    """Sentences for the record."""
    compile_seconds: float
    """Spent on compiling, by this step."""

    @property
    def inexact(self) -> bool:
        """Whether it computes in less than full precision."""
        ...

    def compute_exactly(self) -> None:
        """Compute in full precision from now on."""
        ...


@runtime_checkable
class Optimising(Protocol):
    """A step that can tell how much its optimiser remembers beside the weights."""

    @property
    def optimiser_bytes(self) -> int:
        """Bytes of its moments."""
        ...


class Batches(Protocol):
    """Training batches: a function of (stream, epoch number) only."""

    per_epoch: int
    """Batches in an epoch."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `start`-th on."""
        ...


class Stopping(Protocol):
    """A trigger that looks at every validation and may end the loop."""

    def __call__(self, score: float, loss: float) -> bool:
        """Whether to stop after this validation (`score`: greater is better)."""
        ...

    def state(self) -> list[float]:
        """What it remembers."""
        ...

    def load(self, state: list[float]) -> None:
        """Put that back."""
        ...


@dataclass(frozen=True, eq=False)
class LoopPlan:
    """What the loop does around its step. Built by `training.plan`."""

    steps: int
    validate_every: int
    learning_rate: Callable[[int], float]
    select: str
    direction: Direction
    validation: Callable[[], Iterator[Batch]] | None
    """None: nothing validates; training's own loss goes to the stopping rule."""
    score: Callable[[NDArray[Any], NDArray[Any]], Mapping[str, float]]
    loss: str = "log_loss"
    """The metric that is the validation loss."""
    stopping: Stopping | None = None
    restore_best: bool = True
    parts: int = 1
    checkpoint_seconds: float = 30.0


@dataclass(frozen=True)
class Fitted:
    """What a loop leaves: the step holds the selected weights."""

    steps: int
    selected_step: int
    diverged_at: int | None = None
    stopped_by: str | None = None


class Run(Protocol):
    """What `fit` works through: a finished phase is read back, an open loop goes on."""

    streams: Streams

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        """Run, resume or read back a loop over batches."""
        ...

    def solve(self, phase: str, compute: Callable[[], Arrays], share: Key | None = None) -> Arrays:
        """Compute arrays in one piece, or read them back; `share`: from the cache, if there."""
        ...

    def solve_rows(self, phase: str, digests: Digests, compute: ToRows, share: Key) -> NDArray[Any]:
        """The rows (N, ...) of N items, from the cache those that are there."""
        ...

    def note(self, fitted: Fitted, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        """What an iterative solve came to, and its curve: a loop says both of itself."""
        ...

    def remark(self, sentences: Sequence[str]) -> None:
        """What people should know of this fit: it goes into the record."""
        ...


@dataclass(frozen=True)
class LayerProfile:
    """One row of `bakeoff profile`: shapes without the batch axis, counts per example."""

    name: str
    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    parameters: int = 0
    trained_parameters: int = 0
    macs: int = 0


class Predictor(Protocol):
    """What fitting yields: preprocessing, weights and class names in one."""

    def predict(self, items: Items) -> NDArray[Any]:
        """Class probabilities (N, K) float32, numbers (N,) float64, or nats of texts (N, 4).

        Batching changes no bit.
        """
        ...

    def layers(self) -> tuple[LayerProfile, ...]:
        """Parameters and multiply-accumulates, layer by layer."""
        ...

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `state.json` into an existing folder.

        `state.json` names the technique under `technique`: it decides who reads the folder back.
        """
        ...


@runtime_checkable
class Remembering(Protocol):
    """A predictor that keeps its training examples, so that each of them would find itself."""

    def left_out(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """As `predict`, of the training examples at `rows` (R,), each by all the others alone."""
        ...


@runtime_checkable
class Representer(Protocol):
    """A predictor that can also turn items into vectors."""

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: what the last hidden layer says of each item."""
        ...


@runtime_checkable
class Encoding(Protocol):
    """A technique whose product is vectors for other recipes: the report shows their space."""

    encodes: ClassVar[bool]
    """Whether it is; also those of other techniques are shown where a recipe needs them."""


@runtime_checkable
class Attending(Protocol):
    """A predictor of texts that can tell where its attention looks."""

    def predict(self, items: Items) -> NDArray[Any]:
        """As every predictor."""
        ...

    def attention(self, text: str, most: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The tokens T of a text, `most` at the most, and weights (layers, heads, T, T)."""
        ...


@runtime_checkable
class Noted(Protocol):
    """A technique that can tell what its settings mean on some training data."""

    def notes(self, settings: Settings, data: TrainingData) -> tuple[str, ...]:
        """Short sentences: a rate beside the bound that the data set it, for instance."""
        ...


@runtime_checkable
class Compiling(Protocol):
    """A technique whose training passes can be compiled."""

    def updates(self, settings: Settings, examples: int) -> int:
        """How many a fit to so many training examples makes at most."""
        ...


@runtime_checkable
class Cutting(Protocol):
    """A predictor that reads no more than a part of long texts."""

    def cut_notes(self, items: Items) -> list[str]:
        """How many of N texts are too long for it and what it reads of them; none: no note."""
        ...


@runtime_checkable
class Tokenising(Protocol):
    """A technique that cuts texts into tokens, among which its figures share out nats."""

    def vocabulary(self, settings: Settings) -> str:
        """What the tokens are, as a digest: figures per token compare where it is the same.

        Raises:
            InputError: where the tokens cannot be found.
        """
        ...


@dataclass(frozen=True)
class Written:
    """Texts of a language model.

    Args:
        prompts: What each text goes on from.
        before: What followed before anything was learnt.
        after: What followed then.
    """

    prompts: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@runtime_checkable
class Writing(Protocol):
    """A technique whose predictors write texts."""

    def texts(
        self, settings: Settings, fitted: "Predictor", data: TrainingData, streams: Streams
    ) -> Written:
        """Texts from the beginnings of validation texts, before and after the fit."""
        ...


@runtime_checkable
class Traced(Protocol):
    """A technique that learns sample by sample, and can show the errors of its first epoch."""

    def trace(
        self, settings: Settings, data: TrainingData, streams: Streams
    ) -> tuple[NDArray[np.float64], int | None] | None:
        """Errors (n,) before each sample was learnt from; and the sample that overflowed, if any.

        None where these settings learn in another way.
        """
        ...


Watch = Callable[[str, str, NDArray[Any]], None]
"""Told the layer before an activation, its kind, and its outputs (B, ..., units), valid until it
returns."""


class Inside(Protocol):
    """A network opened: what its layers hold, and what some examples make of them.

    Looking changes nothing that predictions depend on.
    """

    def weights(self) -> Arrays:
        """By layer, first to last, of two axes and more: no biases, no gains."""
        ...

    def filters(self) -> NDArray[np.float32] | None:
        """(units, h, w, C): the first layer's weights as pictures; None where there are none."""
        ...

    def gradients(self, batch: Batch) -> Arrays:
        """Of the mean loss of a batch, by the weights that learn; names and shapes are theirs.

        As an update would see it (batch norm looks at the batch), but without dropout,
        augmentation and penalties on weights.
        """
        ...

    def outputs(self, items: Items, watch: Watch) -> None:
        """Pass items once, all together, and tell the outputs of every activation."""
        ...


@runtime_checkable
class Openable(Protocol):
    """A technique whose networks can be looked into."""

    def opens(self, settings: Settings) -> bool:
        """Whether there is something to look into with these settings."""
        ...

    def beginning(self, settings: Settings, data: TrainingData, streams: Streams) -> "Predictor":
        """What `fit` starts from with these streams: the same weights, nothing learnt."""
        ...

    def opened(self, settings: Settings, predictor: "Predictor", *, fresh: bool) -> Inside:
        """The network of one of its predictors.

        Args:
            settings: Those it was made with.
            predictor: Nobody else's: its memory is used.
            fresh: Nothing was learnt yet, so that batch norm has no averages: it looks at the items
                that pass.
        """
        ...


class Technique(Protocol):
    """A way to turn data into predictions."""

    name: ClassVar[str]
    version: ClassVar[int]
    settings: ClassVar[type[Settings]]
    tasks: ClassVar[frozenset[str]]
    modalities: ClassVar[frozenset[Modality]]
    framework: ClassVar[Framework]
    """What it computes in; where its settings have a field `framework`, that field's default."""
    seeded: ClassVar[bool]
    """Whether the seed matters beyond the draw of the training examples."""
    summary: ClassVar[str]
    """One line for `bakeoff list techniques`."""

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, "Predictor"], run: Run
    ) -> Predictor:
        """Learn from `data`, working through `run`."""
        ...

    def load(self, folder: Path, device: DeviceName = "auto") -> Predictor:
        """A predictor that was saved, back; gives the same predictions.

        Args:
            folder: That it was saved into.
            device: Where it is to compute, and all that it was saved with; what NumPy and Keras
                compute stays on the CPU.
        """
        ...

    def untrained(self, settings: Settings, shape: tuple[int, ...], classes: int) -> Predictor:
        """A predictor of the right sizes that has learnt nothing: for `plan` and `profile`."""
        ...
