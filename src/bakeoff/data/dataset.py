"""Data sets: splits as their publisher made them, with class names and a hash of the content."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Modality
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.task import Task
from bakeoff.core.tasks import TaskName, task_of
from bakeoff.data.hashing import examples_hash, item_digests
from bakeoff.data.stratify import carve

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
"""What folders and columns call the splits; compared without regard to case."""
TEST_SHARE = 0.2
"""Of a data set that comes without a test split."""
FEWEST_PER_CLASS = 3
"""Examples a class needs in a set without splits: one each to train, validate and test."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory.

    Args:
        name: The catalogue's, or the path it was read from.
        modality: `image`, `text` or `numbers`.
        classes: The class names, in label order; () where the labels are numbers, or the words of
            texts that are to be foretold.
        train: Examples to learn from; validation is carved from them where none is published.
        test: Examples for the final evaluation alone; None where there are none.
        validation: The published validation examples, if any.
        notes: Guesses and repairs made while reading, one sentence each, for people.
        columns: Names of the D numbers of an item; () for images and texts.
        ordered: Whether examples follow each other in time: what validates is then what comes last,
            for every seed.
        clean: (test examples,) float64, the test targets without their noise where that is known;
            drawn in reports, never learnt from.
    """

    name: str
    modality: Modality
    classes: tuple[str, ...]
    train: Examples
    test: Examples | None
    validation: Examples | None = None
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    ordered: bool = False
    clean: NDArray[np.float64] | None = None

    @property
    def task_name(self) -> TaskName:
        """What is asked of the data.

        With class names classification, else language modelling of texts and regression of numbers.
        """
        if self.classes:
            return "classification"
        return "language-modelling" if self.modality == "text" else "regression"

    def task(self, classes: tuple[str, ...] | None = None) -> Task:
        """What is asked of the data, of some of its classes or of all."""
        return task_of(self.task_name, self.classes if classes is None else classes)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of items, labels and class names of all splits; 64 hexadecimal digits."""
        content = {
            name: self.test_hash if name == "test" else examples_hash(examples, self.classes)
            for name, examples in self.splits.items()
        }
        return digest(canonical_json([self.modality, list(self.classes), content]))

    @cached_property
    def test_hash(self) -> str:
        """SHA-256 of items, labels and class names of the test split.

        Raises:
            InputError: where there is none.
        """
        if self.test is None:
            raise InputError(f"{self.name}: has no test split")
        return examples_hash(self.test, self.classes)

    @cached_property
    def together(self) -> NDArray[np.int64] | None:
        """(N,) equal for training examples that a fold, or validation, has all or none of.

        These are the data's own groups and exact copies, and what they link: two groups that have
        an item in common are one here. None: all stand alone.
        """
        return _together(self.train.groups, item_digests(self.train.items))

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C) of an image, (D,) of numbers; () of a text."""
        items = self.train.items
        return items.shape[1:] if isinstance(items, np.ndarray) else ()

    @property
    def splits(self) -> dict[str, Examples]:
        """The splits there are, by name: train, validation, test."""
        every = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: examples for name, examples in every.items() if examples is not None}


def strata_of(examples: Examples) -> NDArray[np.int64]:
    """(N,) what a draw keeps the shares of: the classes, or one stratum where labels are numbers.

    -1 where the label is unknown.
    """
    if examples.labels.dtype.kind in "iu":
        return examples.labels
    return np.where(examples.known, 0, -1)


def numbered(count: int) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """(N,) str: "0", "1", ...: identities of examples whose publisher gave none."""
    return np.arange(count).astype(f"U{len(str(max(count - 1, 0)))}")


def hold_out_test(
    examples: Examples, classes: tuple[str, ...], where: str
) -> tuple[Examples, Examples, str]:
    """Set a test split aside where none is published: groups and duplicates whole.

    Stratified where there are classes.

    Who goes is decided by each item's own digest. The draw is therefore the same for every seed,
    whatever the order or the names of the files, and hardly moves when examples are added.

    Args:
        examples: All of them.
        classes: The names the labels stand for; () where they are numbers.
        where: The path they were read from, to begin messages with.

    Returns:
        The training examples, the test examples, and a note that says what was done.

    Raises:
        InputError: where a class has fewer than 3 examples, or lies in one group.
    """
    strata = strata_of(examples)
    names = classes or ("",)
    counts = np.bincount(strata, minlength=len(names))
    small = np.flatnonzero(counts < FEWEST_PER_CLASS)
    if few := [f"'{names[i]}' has {counts[i]}" if classes else f"{counts[i]} rows" for i in small]:
        each = "every class needs" if classes else "there must be"
        raise InputError(
            f"{where}: {_some(few)}; without a test split {each} at least "
            f"{FEWEST_PER_CLASS} examples, one each to train, validate and test"
        )
    keys = item_digests(examples.items)
    together = _together(examples.groups, keys)
    # Of few examples a fifth may be fewer than there are classes: one of each is then set aside.
    share = TEST_SHARE if together is not None else max(TEST_SHARE, len(names) / len(examples))
    chosen = np.sort(carve(strata, share, keys, together))
    missing = np.flatnonzero(np.bincount(strata[chosen], minlength=len(names)) == 0)
    if len(missing):
        what = f"all examples of {_some(classes, missing)}" if classes else "all rows"
        raise InputError(
            f"{where}: no test split can be set aside: {what} "
            "belong to one group or are copies of one another; give a test split"
        )
    rest = np.setdiff1d(np.arange(len(examples)), chosen)
    kept = "" if examples.groups is None else ", groups kept whole"
    note = (
        f"no test split: {len(chosen)} of {len(examples)} examples set aside as one"
        f"{', stratified' if classes else ''}{kept}, the same for every seed"
    )
    return examples.take(rest), examples.take(chosen), note


def _together(
    groups: NDArray[np.int64] | None, digests: NDArray[np.uint64]
) -> NDArray[np.int64] | None:
    """Groups and copies with what they link; None where all stand alone."""
    distinct, copies = np.unique(digests, return_inverse=True)
    alone = len(distinct) == len(digests)
    if groups is None:
        return None if alone else copies.astype(np.int64)
    return groups if alone else _linked(groups, copies)


def _linked(groups: NDArray[np.int64], copies: NDArray[np.intp]) -> NDArray[np.int64]:
    """(N,) the connected parts of the graph whose nodes are groups and items."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, place = np.unique(groups, return_inverse=True)
    edges = (np.ones(len(place), np.int8), (place, len(names) + copies))
    nodes = len(names) + int(copies.max()) + 1
    _, parts = connected_components(coo_array(edges, shape=(nodes, nodes)), directed=False)
    return np.asarray(parts[place], np.int64)


def _some(names: tuple[str, ...] | list[str], positions: np.ndarray | None = None) -> str:
    """The first five names, and how many more there are."""
    chosen = list(names) if positions is None else [f"'{names[i]}'" for i in positions]
    more = f" and {len(chosen) - 5} more" if len(chosen) > 5 else ""
    return ", ".join(chosen[:5]) + more
