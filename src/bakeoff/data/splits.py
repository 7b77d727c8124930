"""Which examples a recipe learns from: the carve, the label budget, the class filter.

All recipes with one seed share the draw. In cross-validation the held-out fold goes first, and all
else is drawn from what is left; a published validation split stays what it is. Validation is carved
from all training examples, whatever the recipe asks besides; classes are filtered then; the label
budget is taken last, and a smaller one lies inside a larger one. Nobody who can afford n labels to
learn from has more than n to validate on, so validation is cut to the size of the budget,
stratified too (Oliver et al. 2018, "Realistic evaluation of deep semi-supervised learning
algorithms", arXiv:1804.09170, section 4.6).
"""

import base64
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Folds, Replicate
from bakeoff.core.errors import InputError, unknown
from bakeoff.core.examples import Examples
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data.dataset import Dataset, strata_of
from bakeoff.data.folds import held_out
from bakeoff.data.normalise import fit, resolve
from bakeoff.data.stratify import carve, stratified_order

Positions = NDArray[np.intp]
ENCODING = "base64 of zlib of bits, first position in the highest bit"


@dataclass(frozen=True, eq=False)
class Split:
    """The examples of one recipe with one seed.

    Args:
        dataset: What was split.
        settings: What was asked.
        seed: The replicate's.
        classes: The names of labels 0..K-1; () where labels are numbers.
        train: Positions in `dataset.train`, ascending.
        validation: Positions, ascending, in `dataset.train`, or in `dataset.validation` where
            that is published.
        test: Positions in `dataset.test`, ascending; empty where there is none.
        published: Whether validation is the published one.
        fold: Positions in `dataset.train`, ascending, of the examples held out in cross-validation;
            None without.
    """

    dataset: Dataset
    settings: DataSettings
    seed: int
    classes: tuple[str, ...]
    train: Positions
    validation: Positions
    test: Positions
    published: bool
    fold: Positions | None = None

    @cached_property
    def hash(self) -> str:
        """SHA-256 of classes and positions; 64 hexadecimal digits."""
        scored = self.test if self.fold is None else self.fold
        parts = [self.train, self.validation, scored]
        content = [digest(part.astype("<i8").tobytes()) for part in parts]
        held_out = [] if self.fold is None else ["fold"]
        return digest(canonical_json([list(self.classes), self.published, content, *held_out]))

    def fold_examples(self) -> Examples:
        """The examples held out; labels count within `classes`.

        Raises:
            ValueError: where no fold is held out.
        """
        if self.fold is None:
            raise ValueError("no fold is held out")
        return _select(self.dataset.train, self.fold, self.dataset, self.classes)

    def training_data(self) -> TrainingData:
        """All a technique may learn from; labels count within `classes`.

        The normaliser is fitted on the training examples alone.
        """
        dataset = self.dataset
        source = dataset.validation if self.published else dataset.train
        assert source is not None
        train = _select(dataset.train, self.train, dataset, self.classes)
        kind = resolve(self.settings.normalise, dataset.modality)
        images = np.asarray(train.items) if dataset.modality == "image" else None
        return TrainingData(
            dataset.task(self.classes),
            dataset.modality,
            train,
            _select(source, self.validation, dataset, self.classes),
            None if images is None else fit(kind, images),
            dataset.columns,
        )

    def describe(self) -> dict[str, Any]:
        """What to write down, JSON-ready: hashes, counts a class, positions in a few kilobytes."""
        dataset = self.dataset
        sources = {
            "train": (dataset.train, self.train),
            "validation": (
                dataset.validation if self.published else dataset.train,
                self.validation,
            ),
        }
        if self.fold is None:
            sources["test"] = (dataset.test, self.test)
        else:
            sources["fold"] = (dataset.train, self.fold)
        return {
            "dataset": dataset.name,
            "data_hash": dataset.hash,
            "split_hash": self.hash,
            "seed": self.seed,
            "classes": list(self.classes),
            "validation_of": "validation" if self.published else "train",
            "encoding": ENCODING,
            "splits": {
                name: _describe(source, positions, dataset, self.classes)
                for name, (source, positions) in sources.items()
                if source is not None
            },
        }


def draw_cell(
    dataset: Dataset, settings: DataSettings, replicate: Replicate, folds: Folds | None = None
) -> Split:
    """The split of one recipe with one replicate.

    Args:
        dataset: What to split.
        settings: Classes, label budget, and how much validates.
        replicate: Seed and fold.
        folds: How folds are cut, where the replicate has one.

    Raises:
        InputError: as `draw` does, and where there are too few examples for so many folds.
    """
    if folds is None or replicate.fold is None:
        return draw(dataset, settings, replicate.streams)
    return draw(dataset, settings, replicate.streams, held_out(dataset, folds, replicate))


def draw(
    dataset: Dataset, settings: DataSettings, streams: Streams, fold: Positions | None = None
) -> Split:
    """The split of one recipe with one seed.

    Args:
        dataset: What to split.
        settings: Classes, label budget, and how much validates.
        streams: Of the replicate; the streams "carve" and "budget" are used.
        fold: Positions in `dataset.train` to hold out; nothing is drawn from them.

    Raises:
        InputError: where a class is unknown, the budget is larger than what there is or smaller
            than the number of classes, or nothing would be left to train or validate on.
    """
    resolve(settings.normalise, dataset.modality)
    classes = _check_classes(dataset, settings)
    strata = strata_of(dataset.train)
    known = np.flatnonzero(strata >= 0)
    known = known if fold is None else np.setdiff1d(known, fold)
    if dataset.validation is None:
        validation = _carve(dataset, known, settings.validation, streams)
        train = np.setdiff1d(known, validation)
        validation_strata = strata
    else:
        validation_strata = strata_of(dataset.validation)
        validation = _cut(dataset, _in_order(dataset, validation_strata, streams), settings)
        train = known
    wanted = _wanted(dataset, classes)
    train = train[np.isin(strata[train], wanted)]
    validation = validation[np.isin(validation_strata[validation], wanted)]
    train = _budget(dataset, settings, classes, train, streams)
    if settings.labels != "all":
        validation = validation[: settings.labels]
    if fold is not None:
        fold = fold[np.isin(strata[fold], wanted)]
        if not len(fold):
            raise InputError(f"{dataset.name}: a fold holds no example of {', '.join(classes)}")
    _check_enough(dataset, settings, classes, train, validation)
    return Split(
        dataset,
        settings,
        streams.seed,
        classes,
        np.sort(train),
        np.sort(validation),
        _test_positions(dataset, classes),
        dataset.validation is not None,
        fold,
    )


def examples_of_test(dataset: Dataset, settings: DataSettings) -> Examples:
    """The test examples of the classes asked for; labels count within them, -1 where unknown.

    Raises:
        InputError: where there is no test split, or no test example of these classes.
    """
    classes = _check_classes(dataset, settings)
    positions = _test_positions(dataset, classes)
    if dataset.test is None or not len(positions):
        of = f" of {', '.join(classes)}" if classes else ""
        raise InputError(f"{dataset.name}: has no test examples{of}")
    return _select(dataset.test, positions, dataset, classes)


def encode_positions(positions: Positions, count: int) -> str:
    """Positions in 0..count-1 as text: a bit for each, compressed."""
    bits = np.zeros(count, dtype=np.uint8)
    bits[positions] = 1
    return base64.b64encode(zlib.compress(np.packbits(bits).tobytes(), 9)).decode()


def _carve(dataset: Dataset, known: Positions, wanted: float | int, streams: Streams) -> Positions:
    """Validation out of the training examples to draw from, each prefix stratified.

    Of examples in the order of time: the last ones. Else what belongs together stays so.
    """
    examples = dataset.train
    if wanted >= len(known):
        raise _too_many(dataset, wanted, len(known) - 1, "training examples")
    share = wanted if wanted < 1 else wanted / len(known)
    strata = strata_of(examples)
    if dataset.ordered:
        return known[len(known) - max(1, round(share * len(known))) :]
    # Drawn for all, so that it does not depend on which labels are known.
    keys = streams.generator("carve").random(len(examples))[known]
    groups = None if dataset.together is None else dataset.together[known]
    return known[carve(strata[known], share, keys, groups)]


def _in_order(dataset: Dataset, strata: NDArray[np.int64], streams: Streams) -> Positions:
    """Published validation in stratified order, or that of time, for budgets to cut."""
    known = np.flatnonzero(strata >= 0)
    if dataset.ordered:
        return known
    keys = streams.generator("carve").random(len(strata))[known]
    return known[stratified_order(strata[known], keys)]


def _cut(dataset: Dataset, published: Positions, settings: DataSettings) -> Positions:
    """So many of what is published as are asked for; all, where a share is."""
    wanted = settings.validation
    if isinstance(wanted, float):
        return published
    if wanted > len(published):
        raise _too_many(dataset, wanted, len(published), "published validation examples")
    return published[len(published) - wanted :] if dataset.ordered else published[:wanted]


def _too_many(dataset: Dataset, wanted: float, most: int, of: str) -> InputError:
    return InputError(
        f"data.validation: {wanted:,} received (allowed of the {of} of {dataset.name}: 1 to "
        f"{most:,}, or a share between 0 and 1)"
    )


def _wanted(dataset: Dataset, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """The strata of some classes; the only one where labels are numbers."""
    return np.array([dataset.classes.index(name) for name in classes] or [0])


def _budget(
    dataset: Dataset,
    settings: DataSettings,
    classes: tuple[str, ...],
    train: Positions,
    streams: Streams,
) -> Positions:
    count = settings.labels
    if count == "all":
        return train
    if count < len(classes):
        raise InputError(
            f"data.labels: {count} is fewer than one for each of the {len(classes)} classes of "
            f"{dataset.name}"
        )
    if count > len(train):
        carved = f" once validation ({settings.validation:g}) is set aside"
        raise InputError(
            f"data.labels: {count} asked for, {dataset.name} has {len(train)} examples to train on"
            f"{'' if dataset.validation else carved}"
        )
    if dataset.ordered:
        return train[len(train) - count :]
    keys = streams.generator("budget").random(len(dataset.train))[train]
    return train[stratified_order(strata_of(dataset.train)[train], keys)[:count]]


def _check_classes(dataset: Dataset, settings: DataSettings) -> tuple[str, ...]:
    if settings.classes is None:
        return dataset.classes
    if not dataset.classes:
        raise InputError(f"data.classes: {dataset.name} has no classes: its labels are numbers")
    for name in settings.classes:
        if name not in dataset.classes:
            raise unknown("class", name, dataset.classes, f"data.classes of {dataset.name}")
    if len(set(settings.classes)) < max(len(settings.classes), 2):
        raise InputError(
            f"data.classes: at least two different classes are needed, each once (received "
            f"{', '.join(settings.classes) or 'none'})"
        )
    return settings.classes


def _check_enough(
    dataset: Dataset,
    settings: DataSettings,
    classes: tuple[str, ...],
    train: Positions,
    validation: Positions,
) -> None:
    counts = np.bincount(strata_of(dataset.train)[train], minlength=len(dataset.classes))
    empty = [name for name in classes if counts[dataset.classes.index(name)] == 0]
    if empty or not len(train):
        of = f" of {', '.join(empty)}" if empty else ""
        raise InputError(f"{dataset.name}: no training example{of}")
    if not len(validation):
        raise InputError(
            f"{dataset.name}: nothing to validate on: data.validation {settings.validation:g} of "
            f"{len(train)} training examples would leave a class without one"
        )


def _test_positions(dataset: Dataset, classes: tuple[str, ...]) -> Positions:
    if dataset.test is None:
        return np.zeros(0, dtype=np.intp)
    if classes == dataset.classes:
        return np.arange(len(dataset.test))
    wanted = [dataset.classes.index(name) for name in classes]
    return np.flatnonzero(np.isin(dataset.test.labels, wanted))


def _relabel(labels: NDArray[Any], dataset: Dataset, classes: tuple[str, ...]) -> NDArray[Any]:
    if classes == dataset.classes:
        return labels
    # The last entry is that of label -1, unknown, which stays so.
    new = np.full(len(dataset.classes) + 1, -1, dtype=np.int64)
    for i, name in enumerate(classes):
        new[dataset.classes.index(name)] = i
    return np.asarray(new[labels])


def _select(
    examples: Examples, positions: Positions, dataset: Dataset, classes: tuple[str, ...]
) -> Examples:
    if len(positions) == len(examples) and classes == dataset.classes:
        return examples
    chosen = examples.take(positions)
    labels = _relabel(chosen.labels, dataset, classes)
    return Examples(chosen.items, labels, chosen.ids, chosen.groups)


def _describe(
    source: Examples, positions: Positions, dataset: Dataset, classes: tuple[str, ...]
) -> dict[str, Any]:
    counts = [0] * len(classes)
    if classes:
        labels = _relabel(source.labels[positions], dataset, classes)
        counts = np.bincount(labels[labels >= 0], minlength=len(classes)).tolist()
    return {
        "count": len(positions),
        "of": len(source),
        "classes": dict(zip(classes, counts, strict=True)),
        "positions": encode_positions(positions, len(source)),
    }
