"""Records: what a cell leaves. `record.json` is written last and is the commit mark."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from bakeoff.core.cell import Key, Purpose, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.frozen import Frozen, later

SCHEMA: Literal[1] = 1
RECORD = "record.json"
LEAST_SECONDS = 0.2
"""A fit that took less has no price: nobody can tell whether it had the machine to itself."""
HARDWARE = ("processor", "cores", "device", "device_name")
"""Of a fingerprint what a price is measured on: threads are a setting, whose price may be asked."""
MACHINE = ("processor", "cores", "threads")
"""What seconds depend on, besides what is computed and on which device."""
CURVES = "metrics.jsonl"
"""Of a cell's loop or solve, a line a validation; beside its record."""


class Cost(Frozen):
    """The price of a cell. Seconds count as a price only where `alone` is true."""

    parameters: int
    trained_parameters: int
    macs_per_example: int
    """Multiply-accumulates of one prediction."""
    train_seconds: float
    """Inside phases, validation included, warm-up (the first update) apart."""
    warm_up_seconds: float = 0.0
    compile_seconds: float = 0.0
    """Of `train_seconds`; little where the program had been compiled before."""
    evaluate_examples_per_second: float | None = None
    peak_bytes: int
    """Resident bytes at the peak of the fit, above what the process held when it began."""
    optimiser_bytes: int | None = later(None)
    """Of the loop whose optimiser remembers the most, what that is; None: nobody told."""
    gpu_peak_bytes: int | None = None
    gpu_utilisation: float | None = None
    """Share of the time in which this process kept the GPU busy, 0..1."""
    upstream_seconds: float = 0.0
    """Training seconds of all cells whose results it used, itself or through others, each once.
    Records of before this was so count a cell as often as it was used."""
    tuning_seconds: float = 0.0
    """0: what trying settings took is a recipe's, and stands in `results.json`."""
    alone: bool = True
    """Whether the machine did nothing else of weight meanwhile."""


class Seconds(NamedTuple):
    """Seconds that are a price, and on what: only those of one machine and device compare."""

    value: float
    measured_on: tuple[Any, ...]


class Interruption(Frozen):
    """One stop on the way: where it went on, and whether the bits are those of an unbroken run."""

    phase: str
    step: int
    bit_equal: bool
    why: str | None = None


class Record(Frozen):
    """What a cell leaves, besides its files."""

    format: Literal[1] = Field(default=SCHEMA, alias="schema")
    name: str
    key: Key
    technique_version: int
    recipe: dict[str, Any]
    """Resolved: every field, defaults included but for those of fields that came later."""
    replicate: Replicate
    inputs: dict[str, Key] = {}
    purpose: Purpose = "final"
    task: str
    classes: tuple[str, ...]
    hashes: dict[str, str]
    """SHA-256 of `data`, `split`, and `test` (items and labels of the test examples); in
    cross-validation `fold` (ids and labels of the examples held out) instead of `test`."""
    weights: dict[str, str] = {}
    """SHA-256 of the pretrained weights that the recipe names, by those names. Records of before
    they were told have none."""
    sizes: dict[str, int]
    """Examples in train, validation, and test or the fold held out."""
    status: Literal["done", "diverged"]
    steps: int | None = None
    selected_step: int | None = None
    stopped_by: str | None = None
    diverged_at: int | None = None
    test_opened: int
    """How often this cell read the test split: once; in cross-validation never."""
    test_ledger: int
    """Recipes ever scored on this test set on this machine, this one included; 0: not opened."""
    metrics: dict[str, float]
    """`split/name` of every split, training too; without those that are no finite numbers."""
    left_out: int | None = None
    """Where a technique remembers its training examples: how many `train/*` is of, drawn by name,
    each predicted by all the others alone. None: of all, as they were learnt."""
    train_scored: int | None = later(None)
    """Of how many training texts `train/*` is, drawn by name, where a language model was scored on
    some of them alone; None: of all."""
    cost: Cost
    fingerprint: dict[str, Any]
    """What the bits depend on: versions, instruction set, threads, kernels, device, precision."""
    normaliser: dict[str, Any] | None = None
    source: dict[str, Any]
    """Commit, and a hash of what was not committed."""
    interruptions: tuple[Interruption, ...] = ()
    notes: tuple[str, ...] = ()
    """What was done to go on where something failed: less precision, memory, no compiler."""
    files: dict[str, str]
    """SHA-256 of every other file of the cell, by relative path."""

    @property
    def priced_seconds(self) -> Seconds | None:
        """What training took, that of the cells it used included; None where that is no price.

        It is none beside other work, of a fit too short to tell, and of one that broke off.
        """
        seconds = self.cost.train_seconds + self.cost.upstream_seconds
        is_price = self.cost.alone and self.status == "done" and seconds >= LEAST_SECONDS
        measured_on = tuple(self.fingerprint.get(name) for name in HARDWARE)
        return Seconds(seconds, measured_on) if is_price else None

    @property
    def predicted_splits(self) -> tuple[str, ...]:
        """The splits of which it left predictions: a trial never saw what was held out."""
        return ("validation", self.replicate.split) if self.purpose == "final" else ("validation",)

    def write(self, folder: Path) -> None:
        """Commit the cell: write `record.json`.

        Raises:
            DiskError: where it cannot be written.
        """
        content = self.model_dump(mode="json", by_alias=True)
        write_atomic(folder / RECORD, pretty_json(content))


def common_metrics(records: Iterable[Record]) -> list[str]:
    """The metrics that each of some records has, in alphabetical order.

    A mean over the others alone would leave out the worst: a figure too large for a number.
    """
    names = [set(record.metrics) for record in records]
    return sorted(set.intersection(*names)) if names else []


def read_record(folder: Path) -> Record | None:
    """The record of a cell's folder, or None where the cell is not finished.

    Raises:
        InputError: where `record.json` is there but is not a record of this schema.
    """
    path = folder / RECORD
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return parse_record(content, str(path))


def parse_record(content: bytes, where: str) -> Record:
    """A record from the bytes of its file, which lies `where`.

    Raises:
        InputError: where it is not a record of this schema.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: cannot be read: {error}") from None
    try:
        return Record.parse(json.loads(text))
    except ValueError as error:
        faults = error.faults if isinstance(error, InputError) else [str(error)]
        raise InputError([f"{where}: not a record: {fault}" for fault in faults]) from None
