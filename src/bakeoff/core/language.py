"""Language modelling: how well texts are foretold; its metrics in NumPy.

A predictor says four numbers of every text: the nats of its scored tokens, how many there are, the
bytes of the text, and which share of them these tokens stand for: what no token was scored for has
no part in figures per word and byte, or it would count as foretold. By which protocol tokens are
scored (`core.perplexity`) is the recipe's field `scoring`, and one study has one, so that a column
of figures never holds two. Tokens are a tokenizer's own: recipes with different ones are compared
by the word or the byte alone.
"""

from collections.abc import Mapping

import numpy as np

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.measures import Unit, directions, measure_of
from bakeoff.core.metrics import Floats
from bakeoff.core.perplexity import perplexity
from bakeoff.core.table import Table
from bakeoff.core.task import NumberTask

DIRECTIONS = directions("perplexity", "word_perplexity", "byte_perplexity", "cross_entropy")
"""`perplexity` is per token, `cross_entropy` its logarithm: nats per token."""
LARGEST = 1e100
"""A figure beyond it is left out: it says nothing, and sums of squares of such are no numbers."""
COUNTS: Mapping[Unit | None, str] = {"token": "weight", "word": "truth", "byte": "bytes"}
"""The columns of answers that nats are shared out among."""


class LanguageModelling(NumberTask):
    """The probability of every text.

    A table of predictions has columns `id` (N,) str, `target` (N,) float64, the words of each text
    (NaN where it is not to be scored), `nats` (N,) float64 and `tokens` (N,) float64 of its scored
    tokens, `bytes` (N,) float64 of the text, `covered` (N,) float64 their share that scored tokens
    stand for, and `group` (N,) int64 where the data has groups. Files of earlier versions have no
    `bytes`: then there are no figures per byte; and none `covered`: then all counts.
    """

    name = "language-modelling"
    directions = DIRECTIONS
    columns = ("target", "nats", "tokens", "bytes", "covered")
    late = frozenset({"bytes", "covered"})
    loss = "cross_entropy"

    def metrics(self, predictions: Table) -> dict[str, float]:
        """Every metric of the rows that are to be scored; empty where none is.

        Without those that are too large (`LARGEST`), as per word of texts that are written without
        spaces.
        """
        rows = self.answers(predictions)
        if not rows.length or not rows["weight"].sum() > 0:
            return {}
        known = [name for name in DIRECTIONS if COUNTS[measure_of(name).unit] in rows]
        found = {name: self.value(name, rows) for name in known}
        return {name: value for name, value in found.items() if value <= LARGEST}

    @staticmethod
    def value(metric: str, answers: Table) -> float:
        """One metric of answers."""
        nats, counts = answers["prediction"], _counts(metric, answers)
        if metric == "cross_entropy":
            return float(nats.sum() / counts.sum())
        return perplexity(float(nats.sum()), float(counts.sum()))

    @staticmethod
    def example_values(metric: str, answers: Table) -> Floats:
        """What each of N texts contributes to minus the logarithm of a metric, (N,) float64.

        The jackknife's pseudo-values m*theta - (m-1)*theta(without text i) of theta = minus the sum
        of nats over the sum of tokens, words or bytes.
        """
        nats, counts = answers["prediction"], _counts(metric, answers)
        m = len(nats)
        if m < 2:
            raise InputError(f"the jackknife of {metric} needs at least 2 texts, received {m}")
        whole = nats.sum() / counts.sum()
        left = counts.sum() - counts
        without = np.divide(nats.sum() - nats, left, out=np.zeros(m), where=left > 0)
        return np.asarray(-(m * whole - (m - 1) * without), dtype=np.float64)


def _counts(metric: str, answers: Table) -> Floats:
    """(N,) what nats are shared out among: scored tokens, or the words or bytes they stand for.

    Raises:
        InputError: for a metric that there is not, and for columns that do not fit it.
    """
    if metric not in DIRECTIONS:
        raise unknown("metric", metric, tuple(DIRECTIONS))
    nats = answers["prediction"]
    unit = measure_of(metric).unit
    counts: Floats = answers[COUNTS[unit]]
    if unit != "token" and "covered" in answers:
        counts = counts * answers["covered"]
    if not len(nats) or np.isnan(nats).any() or not counts.sum() > 0:
        raise InputError(f"{metric}: nats and counts of at least one text are needed")
    return counts
