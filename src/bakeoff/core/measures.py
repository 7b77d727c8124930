"""What is known of every metric before any is computed: its words, its direction, its scale.

Tasks say which metrics they have, and compute them; what judges them or writes them looks here.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bakeoff.core.errors import unknown

Direction = Literal["max", "min"]
Scale = Literal["share", "factor", "nats", "plain"]
Unit = Literal["token", "word", "byte"]
LARGEST_EXPONENT = math.log(sys.float_info.max)


@dataclass(frozen=True)
class Measure:
    """What is known of one metric.

    Attributes:
        words: What people call it.
        direction: Which way it is better.
        scale: `share`: of 1, written as percent, its differences as points. `factor`: differences
            are taken of its logarithm, so that they are ratios. `nats`: is such a logarithm.
        least: The smallest value it can have.
        unit: Of figures of texts, what their nats are shared out among. Tokens are a tokenizer's
            own, so that figures per token compare nothing where tokenizers differ.
    """

    words: str
    direction: Direction
    scale: Scale = "plain"
    least: float = 0.0
    unit: Unit | None = None

    def told_by(self, protocol: str) -> str:
        """Its words with the protocol it was measured by: `perplexity[token,context=512,...]`."""
        if self.unit is None or not protocol:
            return self.words
        return f"{self.words.partition(' per ')[0]}[{self.unit},{protocol}]"

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value it can have."""
        return self.least, 1.0 if self.direction == "max" else math.inf

    def judged(self, value: float) -> float:
        """A value on the scale on which differences are taken: of a `factor` its logarithm."""
        return math.log(value) if self.scale == "factor" else value

    def told(self, judged: float) -> float:
        """The value back, of what `judged` made of it; infinite where it is too large a number."""
        if self.scale != "factor":
            return judged
        return math.exp(judged) if judged < LARGEST_EXPONENT else math.inf


MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure("accuracy", "max", "share"),
    "balanced_accuracy": Measure("balanced accuracy", "max", "share"),
    "f1_macro": Measure("macro F1", "max", "share"),
    "matthews_corrcoef": Measure("Matthews correlation", "max", least=-1.0),
    "log_loss": Measure("log loss", "min"),
    "mean_squared_error": Measure("squared error", "min"),
    "mean_absolute_error": Measure("absolute error", "min"),
    "r2": Measure("R\N{SUPERSCRIPT TWO}", "max", least=-math.inf),
    "perplexity": Measure("perplexity", "min", "factor", unit="token"),
    "word_perplexity": Measure("perplexity per word", "min", "factor", unit="word"),
    "byte_perplexity": Measure("perplexity per byte", "min", "factor", unit="byte"),
    "cross_entropy": Measure("nats per token", "min", "nats", unit="token"),
}
SPLITS = {"fold": "cross-validated"}
"""Splits that people call otherwise."""


def bare(metric: str) -> str:
    """A metric without its split: `accuracy` of `test/accuracy`."""
    return metric.rpartition("/")[2]


def measure_of(metric: str) -> Measure:
    """What is known of a metric, with or without its split.

    Raises:
        InputError: where no task knows it.
    """
    name = bare(metric)
    if name not in MEASURES:
        raise unknown("metric", name, tuple(MEASURES))
    return MEASURES[name]


def directions(*metrics: str) -> Mapping[str, Direction]:
    """Some metrics, and which way each is better."""
    return {name: MEASURES[name].direction for name in metrics}


def scale_of(metric: str) -> Scale:
    """How a metric is written, with or without its split; one that no task knows, as it is."""
    return MEASURES[bare(metric)].scale if bare(metric) in MEASURES else "plain"


def difference_unit(metric: str) -> str:
    """`points`, `nats` where differences are taken of logarithms, or nothing."""
    scale = scale_of(metric)
    return "points" if scale == "share" else "" if scale == "plain" else "nats"


def in_words(metric: str, protocol: str = "") -> str:
    """Split and metric in words; of a metric that no task knows, its name.

    Args:
        metric: With or without its split.
        protocol: What figures of texts were measured by (`core.perplexity.Protocol.words`).
    """
    split, _, name = metric.rpartition("/")
    words = MEASURES[name].told_by(protocol) if name in MEASURES else name.replace("_", " ")
    return f"{SPLITS.get(split, split)} {words}".strip()


def heading(metric: str, protocol: str) -> str:
    """A metric's name above a column; of figures of texts, with what they were measured by."""
    split, slash, name = metric.rpartition("/")
    if not protocol or name not in MEASURES or MEASURES[name].unit is None:
        return metric
    return f"{split}{slash}{MEASURES[name].told_by(protocol)}"
