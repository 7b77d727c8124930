"""What a study will cost, before it runs: counted where it can be, probed where it cannot."""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.examples import Examples, Items, take_items
from bakeoff.core.files import canonical_json
from bakeoff.core.frozen import flatten
from bakeoff.core.protocols import Normaliser, Predictor, Remembering
from bakeoff.execution import numerics
from bakeoff.execution.cell import LEFT_OUT, shown
from bakeoff.execution.measure import Meter
from bakeoff.execution.run import CellRun
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready
from bakeoff.techniques import find, framework_of
from bakeoff.techniques.patches import (
    LEVELS_FROM,
    PatchFeatures,
    PixelFeatures,
    fitting_macs,
    untrained_encoder,
)
from bakeoff.training.observers import Silent

PROBE_STEPS = 12
PROBE_MACS = 2e12
"""Of the updates of a probe: those of a large model are fewer, but not fewer than three."""
PROBE_EXAMPLES = 2_000
PROBE_VALIDATION = 200
"""Examples that validate a probe of a loop, at most: those of a large model take their time."""
FINAL = "(chosen)"
"""Stands for the recipe that folds are going to choose; no recipe has such a name."""
RATED = 512
"""Items that are predicted at most, to see how many a second takes."""
MOMENT = 0.2
"""Seconds after which that is seen."""
FEW, ENOUGH = 16, 5.0
"""Fewer items than that have to take this many seconds."""
FREE = frozenset({"learning_rate", "other_learning_rate", "l2", "momentum", "warmup"})
"""Fields of training that change nothing of what it costs."""
BYTES_PER_PREDICTION = 12
"""Of one probability in a CSV file, with its comma."""


@dataclass(frozen=True)
class Estimate:
    """The predicted price of one recipe.

    Attributes:
        cells: How many there are of it, finished ones included.
        seconds: Of one cell: training and evaluation; of one that is searched, the dearest try's.
        memory_bytes: Resident, above the data.
        disk_bytes: Of one cell: weights and predictions.
        fit_seconds: Of `seconds`, training and validation: all that a trial takes.
        trials: Fits that choose settings on validation, of its own or of recipes that need it.
        trial_seconds: Of all of them.
    """

    recipe: str
    technique: str
    cells: int
    parameters: int
    macs_per_example: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    fit_seconds: float
    trials: int = 0
    trial_seconds: float = 0.0

    @property
    def total_seconds(self) -> float:
        """Of all its cells and trials, one after another."""
        return self.seconds * self.cells + self.trial_seconds


def estimate(ready: Ready, seeds: int | None = None) -> list[Estimate]:
    """The price of every recipe of a study.

    Loops are probed with a few updates on the real data, solves with a share of it; what patch
    features cost is reckoned from the seconds of a few images. A recipe that differs from one
    before in its classes alone costs the same, where there are as many examples. Nothing is written
    into a run folder, and test is not opened.
    """
    count = seeds or ready.looks.sizes[0]
    replicates = ready.replicates(range(count))
    first = ready.replicates(ready.looks.seeds)[0]
    serving = {q.recipe for p in ready.planned for one in p.whole for q in one.inputs.values()}
    fitted: dict[str, Predictor] = {}
    found: list[Estimate] = []
    alike: dict[bytes, Estimate] = {}
    with tempfile.TemporaryDirectory() as folder:
        for planned in ready.planned:
            rows: list[Estimate] = []
            for one in _priced(planned):
                inputs = {name: fitted[needed.recipe] for name, needed in one.inputs.items()}
                probe = _Probe(ready, one, first, inputs, Path(folder) / one.name)
                needed = planned.name in serving - fitted.keys()
                if probe.price_key not in alike or needed:
                    alike[probe.price_key], predictor = probe.run(len(replicates))
                    fitted.setdefault(planned.name, predictor)
                rows.append(alike[probe.price_key])
            found.append(_of_tries(planned, rows, ready))
    return [_with_served(row, ready) for row in found]


def _priced(planned: Planned) -> list[Planned]:
    """What may become of a recipe, then its tries where these learn from fewer examples."""
    data, tries = planned.recipe.data, planned.tries
    if not tries:
        return [planned]
    whole = [replace(one, recipe=one.recipe.model_copy(update={"data": data})) for one in tries]
    return whole if whole == list(tries) else [*whole, *tries]


def _of_tries(planned: Planned, rows: Sequence[Estimate], ready: Ready) -> Estimate:
    """A recipe that will be as one of its tries is: which, is not known yet."""
    count = len(planned.tries) or 1
    dearest = replace(max(rows[:count], key=lambda row: row.seconds), recipe=planned.name)
    if not planned.tries or ready.study.search is None:
        return dearest
    seeds = ready.study.search.seeds
    return replace(
        dearest,
        memory_bytes=max(row.memory_bytes for row in rows),
        trials=seeds * count,
        trial_seconds=seeds * math.fsum(row.fit_seconds for row in rows[-count:]),
    )


def _with_served(row: Estimate, ready: Ready) -> Estimate:
    """With the fits that the trials of other recipes need."""
    needed = {q.recipe for p in ready.planned for one in p.tries for q in one.inputs.values()}
    if row.recipe not in needed or ready.study.search is None:
        return row
    seeds = ready.study.search.seeds
    return replace(
        row, trials=row.trials + seeds, trial_seconds=row.trial_seconds + seeds * row.seconds
    )


def estimate_final(
    ready: Ready, found: Sequence[Estimate], seeds: int | None = None
) -> Estimate | None:
    """The price of scoring on test what the folds will choose; None where that is not asked.

    Which recipe it will be is not known: the dearest stands for all, with what it needs of others.
    It learns from all folds, so it takes k/(k-1) of a fold's time.
    """
    resampling = ready.study.resampling
    if resampling is None or not resampling.then_test:
        return None
    rows, planned = {row.recipe: row for row in found}, {p.name: p for p in ready.planned}

    def needed(name: str) -> set[str]:
        inputs = [needed(other.recipe) for other in planned[name].inputs.values()]
        return {name}.union(*inputs)

    seconds = {name: math.fsum(rows[n].seconds for n in needed(name)) for name in rows}
    dearest = max(seconds, key=lambda name: seconds[name])
    return replace(
        rows[dearest],
        recipe=FINAL,
        cells=seeds or ready.looks.sizes[0],
        seconds=seconds[dearest] * resampling.folds / (resampling.folds - 1),
    )


class _Probe:
    """A short fit of one recipe."""

    def __init__(
        self,
        ready: Ready,
        planned: Planned,
        first: Replicate,
        inputs: Mapping[str, Predictor],
        folder: Path,
    ) -> None:
        self.recipe = planned.recipe
        self.inputs, self.folder = inputs, folder
        self.replicate = planned.drawn(first)
        split = ready.split(self.recipe.data, self.replicate)
        self.whole = self.data = split.training_data()
        self.scored_size = len(split.test if split.fold is None else split.fold)
        self.technique = find(self.recipe.technique)
        self.settings = self.recipe.settings
        self.training: Any = getattr(self.settings, "training", None)
        self.iterates = getattr(self.training, "solver", "loop") == "lbfgs"
        features = getattr(self.settings, "features", None)
        self.features = features if isinstance(features, PatchFeatures) else None
        self.encodes = getattr(self.settings, "encoder", None) is not None
        # Vectors are computed once, unless what computes them learns.
        self.on_vectors = self.encodes and not getattr(self.settings, "tunes", False)
        self.validated = 0.0
        self.steps = PROBE_STEPS

    @property
    def price_key(self) -> bytes:
        """What the price is a function of."""
        resolved = {
            path: value
            for path, value in flatten(self.recipe.resolved()).items()
            if not path.startswith("data.") and path.rpartition(".")[2] not in FREE
        }
        data = self.whole
        sizes = [len(data.train), len(data.validation), self.scored_size, len(data.task.classes)]
        return canonical_json([resolved, sizes])

    def run(self, count: int) -> tuple[Estimate, Predictor]:
        """The estimate, and the predictor of the short fit, for recipes that need one."""
        fingerprint = numerics.apply(self.recipe.numerics, framework_of(self.recipe))
        before, held, encoder = 0.0, 0, None
        if self.features is not None:
            encoder, before, held = self._stand_in(self.features)
        if self.training is not None and not self.iterates and not self.encodes:
            self.steps = self._affordable()
        with Meter() as meter:
            predictor, run = self._fit(fingerprint, PROBE_EXAMPLES)
        parameters, macs = _sizes(encoder or predictor)
        rate = _examples_per_second(predictor, self.data.validation.items)
        if self.iterates:
            training = self._solve_seconds(run)
        elif self.training is not None:
            training = self._loop_seconds(run, rate)
        else:
            kept, all_ = min(len(self.data.train), PROBE_EXAMPLES), len(self.data.train)
            training = run.train_seconds * all_ / kept
            if kept < all_:
                # What remembers examples grows with them, and so does the price of a prediction.
                half, _ = self._fit(fingerprint, PROBE_EXAMPLES // 2)
                fewer, share = _sizes(half), macs
                times = (all_ - kept) / (kept - PROBE_EXAMPLES // 2)
                parameters += round(times * (parameters - fewer[0]))
                macs += round(times * (macs - fewer[1]))
                rate *= share / macs if macs else 1.0
        learnt, validated = self._learnt_size(predictor), len(self.whole.validation)
        if self.on_vectors and self.training is not None:
            learnt = validated = 0
        fitting = before + training + run.warm_up_seconds + validated / rate
        predicted = len(self.whole.validation) + self.scored_size
        columns = len(self.data.task.classes) + 2
        row = Estimate(
            recipe=self.recipe.name,
            technique=self.technique.name,
            cells=count,
            parameters=parameters,
            macs_per_example=macs,
            seconds=fitting + (learnt + self.scored_size) / rate,
            memory_bytes=meter.peak_bytes + held,
            disk_bytes=4 * parameters + predicted * BYTES_PER_PREDICTION * columns,
            fit_seconds=fitting,
        )
        return row, encoder or predictor

    def _learnt_size(self, predictor: Predictor) -> int:
        """How many training examples are scored."""
        if isinstance(predictor, Remembering):
            return min(len(self.whole.train), LEFT_OUT)
        return len(shown(self.replicate.streams, self.whole))

    def _stand_in(self, features: PatchFeatures) -> tuple[Predictor, float, int]:
        """Reckon what patch features cost, and put random numbers in their place for the probe.

        Returns:
            An untrained predictor, whose products are those of a trained one; the seconds of
            dictionary and features, those of the scored examples included; the bytes of features.
        """
        train, validation = self.whole.train, self.whole.validation
        shape = np.asarray(train.items).shape[1:]
        classes = len(self.whole.task.classes)
        predictor = self.technique.untrained(self.settings, shape, classes)
        rate = _examples_per_second(predictor, validation.items)
        encoded = len(train) + len(validation) + self.scored_size + min(len(train), LEVELS_FROM)
        patches = fitting_macs(features, shape) / max(_sizes(predictor)[1], 1)
        size = untrained_encoder(features, shape).size
        generator = np.random.default_rng(0)

        def drawn(examples: Examples) -> Examples:
            some = examples.take(_spread(len(examples), PROBE_EXAMPLES))
            items = generator.integers(0, 256, (len(some), 1, 1, size), np.uint8)
            return replace(some, items=items)

        normaliser = Normaliser(np.full(size, 0.5, np.float32), np.full(size, 0.3, np.float32))
        self.data = replace(
            self.whole, train=drawn(train), validation=drawn(validation), normaliser=normaliser
        )
        self.settings = self.settings.model_copy(update={"features": PixelFeatures()})
        return predictor, (encoded + patches) / rate, size * (len(train) + len(validation))

    def _fit(self, fingerprint: dict[str, Any], examples: int) -> tuple[Predictor, CellRun]:
        """A few updates on all examples, or a solve of some."""
        settings, data, folder = self.settings, self.data, self.folder / str(examples)
        if self.training is not None:
            update = {"epochs": None, "iterations": self.steps}
            if not self.iterates:
                update |= {"validate_every": self.steps, "stopping": None}
            shortened = self.training.model_copy(update=update)
            settings = settings.model_copy(update={"training": shortened})
        if self.training is None or self.iterates or self.encodes:
            share = min(1.0, examples / len(data.train))
            some = _spread(len(data.validation), math.ceil(share * len(data.validation)))
            data = replace(
                data,
                train=data.train.take(_spread(len(data.train), examples)),
                validation=data.validation.take(some),
            )
        else:
            data = replace(data, validation=self._validating())
        self.validated = _in_means(data.validation.items, self.data.validation.items)
        recipe = self.recipe.model_copy(update={"settings": settings})
        cell = Cell(recipe, self.replicate, "", "", self.technique.version)
        run = CellRun(folder, self.replicate.streams, fingerprint, True, Silent(), lambda: None)
        return self.technique.fit(cell, data, self.inputs, run), run

    def _affordable(self) -> int:
        """Updates of a probe, whose backward passes cost two forward ones."""
        items, classes = self.data.train.items, len(self.data.task.classes)
        shape = items.shape[1:] if isinstance(items, np.ndarray) else ()
        _, macs = _sizes(self.technique.untrained(self.settings, shape, classes))
        one = 3 * macs * min(self.training.batch_size, len(items))
        return int(np.clip(PROBE_MACS // max(one, 1), 3, PROBE_STEPS))

    def _validating(self) -> Examples:
        """What validates a probe: of a large model, the shortest text."""
        validation = self.data.validation
        if self.steps < PROBE_STEPS and not isinstance(validation.items, np.ndarray):
            return validation.take(np.argsort(_lengths(validation.items))[:1])
        return validation.take(_spread(len(validation), PROBE_VALIDATION))

    def _solve_seconds(self, run: CellRun) -> float:
        """Of all iterations over all examples, where none converges before."""
        done = max(1, run.fitted[-1].steps)
        seconds = run.train_seconds - self._encoding_seconds(run)
        seconds = seconds / done * (self.training.iterations or 1)
        return float(seconds + self._encoding_seconds(run)) * self._share

    @property
    def _share(self) -> float:
        """Examples of the whole fit for each one of the probe's, where that takes some."""
        return len(self.whole.train) / min(len(self.data.train), PROBE_EXAMPLES)

    def _encoding_seconds(self, run: CellRun) -> float:
        """Of computing the vectors that a probe's fit needed."""
        return sum(s for phase, s in run.solve_seconds.items() if phase.startswith("encode"))

    def _loop_seconds(self, run: CellRun, rate: float) -> float:
        """From the probe's seconds to those of all updates and validations, and of compiling.

        What is compiled is compiled for the probe, too, however long that takes: updates of another
        program say little. The run that follows finds the program in the cache.
        """
        share = self._share if self.encodes else 1.0
        before = math.fsum(run.solve_seconds.values())  # what a loop waits for: tokens, vectors
        a_validation = 0.0 if self.on_vectors else 1 / rate
        probed = before + self.validated * a_validation + run.compile_seconds
        a_step = max(run.train_seconds - probed, 0.0) / (self.steps - 1)
        per_epoch = run.per_epoch or -(-len(self.whole.train) // self.training.batch_size)
        steps = self.training.iterations or self.training.epochs * per_epoch
        validations = -(-steps // (self.training.validate_every or per_epoch))
        evaluating = validations * len(self.whole.validation) * a_validation
        return float(run.compile_seconds + a_step * steps + evaluating + before * share)


def _examples_per_second(predictor: Predictor, items: Items) -> float:
    """Measured on as many items as a moment allows, and on those of usual length where few do."""
    lengths = _lengths(items)
    usual = np.argsort(np.abs(lengths - lengths.mean()), kind="stable")
    # What is compiled or loaded at first is no part of the rate.
    predictor.predict(take_items(items, np.argsort(lengths, kind="stable")[:1]))
    count = 1
    while True:
        some = take_items(items, usual[:count] if count < FEW else np.arange(len(items))[:count])
        began = time.perf_counter()
        predictor.predict(some)
        seconds = max(time.perf_counter() - began, 1e-9)
        seen = seconds > (ENOUGH if count < FEW else MOMENT)
        if seen or count >= RATED or len(some) < count:
            return len(some) / seconds
        count *= 2


def _lengths(items: Items) -> NDArray[np.float64]:
    """(N,) of texts, in characters; of all else 1."""
    if isinstance(items, np.ndarray):
        return np.ones(len(items))
    return np.array([len(text) for text in items], np.float64)


def _in_means(some: Items, items: Items) -> float:
    """How many items of mean length some of them are worth."""
    return float(_lengths(some).sum() / max(_lengths(items).mean(), 1.0)) if len(some) else 0.0


def _spread(size: int, count: int) -> NDArray[np.intp]:
    """Positions of at most `count` of `size` examples, evenly spread."""
    return np.linspace(0, size - 1, min(size, count)).astype(np.intp)


def _sizes(predictor: Predictor) -> tuple[int, int]:
    """Parameters, and multiply-accumulates of one prediction."""
    layers = predictor.layers()
    return sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
