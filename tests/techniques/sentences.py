"""Short sentences of words that the tiny models know, of two opinions."""

import numpy as np

from bakeoff.core.classification import Classification
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import TrainingData

GOOD, BAD = ("good", "great", "fine"), ("bad", "awful", "dull")


def sentences(count: int, seed: int) -> Examples:
    """Of different lengths; every other one praises (1)."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    texts = []
    for label in labels:
        word = generator.choice(GOOD if label else BAD)
        texts.append(f"the {'very ' * int(generator.integers(0, 6))}{word} film {seed}")
    return Examples(texts, labels.astype(np.int64), np.arange(count).astype(np.str_))


def opinions() -> TrainingData:
    """64 sentences to learn from, 24 that validate."""
    task = Classification(["no", "yes"])
    return TrainingData(task, "text", sentences(64, 0), sentences(24, 1), None)
