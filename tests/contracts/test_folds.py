"""Nothing that is fitted sees the fold held out: each technique, whatever it fits on the way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.small import Bench, classes_of, dataset_of

from bakeoff.core.cell import Folds, Replicate
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Technique, TrainingData
from bakeoff.core.recipe import DataSettings
from bakeoff.data import splits
from bakeoff.data.dataset import Dataset
from bakeoff.data.folds import held_out
from bakeoff.techniques import TECHNIQUES, find

REPLICATE = Replicate(seed=0, fold=1)


def spoilt(examples: Examples, rows: np.ndarray) -> Examples:
    """Other items and other labels at some rows."""
    labels = examples.labels.copy()
    labels[rows] = 0 if labels.dtype.kind != "f" else -labels[rows]
    if isinstance(examples.items, np.ndarray):
        items = examples.items.copy()
        items[rows] = 255 - items[rows] if items.dtype == np.uint8 else 3 - items[rows]
        return replace(examples, items=items, labels=labels)
    texts = list(examples.items)
    for row in rows.tolist():
        texts[row] = f"never seen before {row}"
    return replace(examples, items=texts, labels=labels)


class FoldBench(Bench):
    """Fits on what is left of one cut when a fold is held out."""

    spoil = False

    def data(self, seed: int = 0) -> TrainingData:
        """All but the fold; where `spoil` is set, the fold has other items and labels."""
        dataset = self.dataset()
        fold = held_out(dataset, Folds(count=3), REPLICATE)
        if self.spoil:
            dataset = _with(dataset, spoilt(dataset.train, fold))
        classes = classes_of(self.technique, dataset) or None
        settings = DataSettings(set="digits", classes=classes)
        split = splits.draw(dataset, settings, REPLICATE.streams, fold)
        return split.training_data()


def _with(dataset: Dataset, train: Examples) -> Dataset:
    assert not np.array_equal(train.labels, dataset.train.labels)
    return replace(dataset, train=train)


@pytest.mark.parametrize("name", sorted(TECHNIQUES))
def test_the_fold_held_out_leaves_no_trace(name: str, tmp_path: Path) -> None:
    technique: Technique = find(name)
    bench, other = FoldBench(technique, tmp_path), FoldBench(technique, tmp_path)
    object.__setattr__(other, "spoil", True)
    first, second = bench.fit("first"), other.fit("second")
    assert first.run.rows or name in ("majority", "knn") or not first.run.fitted
    for place, attempt in (("a", first), ("b", second)):
        (tmp_path / place).mkdir()
        attempt.predictor.save(tmp_path / place)
    saved = sorted(path.name for path in (tmp_path / "a").iterdir() if path.is_file())
    assert saved
    for file in saved:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_the_test_has_teeth(tmp_path: Path) -> None:
    """What does see the fold gives other weights."""
    bench, other = FoldBench(find("softmax"), tmp_path), FoldBench(find("softmax"), tmp_path)
    object.__setattr__(other, "spoil", True)
    whole, spoilt_ = (
        splits.draw(
            _with(d, spoilt(d.train, held_out(d, Folds(count=3), REPLICATE))) if b.spoil else d,
            DataSettings(set="digits"),
            REPLICATE.streams,
        ).training_data()
        for b in (bench, other)
        for d in [dataset_of("image", tmp_path)]
    )
    assert whole.normaliser is not None
    assert spoilt_.normaliser is not None
    assert whole.normaliser.mean.tobytes() != spoilt_.normaliser.mean.tobytes()
