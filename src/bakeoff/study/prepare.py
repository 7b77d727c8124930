"""From a study to cells that are ready to run: all that can be refused is refused here."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from bakeoff.core.cell import Cell, Purpose, Replicate
from bakeoff.core.checking import Checking, Offer, OnEncoders, vectors_from
from bakeoff.core.errors import InputError, shown
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.frozen import plain
from bakeoff.core.language import LARGEST
from bakeoff.core.measures import measure_of
from bakeoff.core.perplexity import byte_count
from bakeoff.core.protocols import Predictor, Tokenising
from bakeoff.core.recipe import BEFORE, DataSettings, Numerics, parts
from bakeoff.core.teaching import TeacherSettings
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset, strata_of
from bakeoff.models.pretrained import weights_of
from bakeoff.study.declaration import Declaration
from bakeoff.study.looks import LookPlan, plan_looks
from bakeoff.study.planned import Input, Planned
from bakeoff.study.resolve import declare, resolve
from bakeoff.techniques import find
from bakeoff.techniques.teachers import EXTRA, extra_texts


@dataclass(frozen=True)
class Ready:
    """A study checked and resolved: nothing in it can be refused any more."""

    study: Declaration
    dataset: Dataset
    planned: tuple[Planned, ...]
    looks: LookPlan
    weights: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """SHA-256 of the pretrained weights that a recipe names, by recipe (or try) and by names."""
    vocabularies: Mapping[str, str] = field(default_factory=dict)
    """What the tokens are that a recipe cuts texts into, by its name."""

    @property
    def control(self) -> Planned:
        """The control of the first level."""
        return next(p for p in self.planned if p.plain_name == self.study.control_name)

    def replicates(self, seeds: Iterable[int]) -> list[Replicate]:
        """Seed by seed, and with resampling fold by fold of every repeat."""
        resampling = self.study.resampling
        if resampling is None:
            return [Replicate(seed=seed) for seed in seeds]
        repeats, folds = range(resampling.repeats), range(resampling.folds)
        return [
            Replicate(seed=seed, repeat=repeat, fold=fold)
            for seed, repeat, fold in itertools.product(seeds, repeats, folds)
        ]

    def split(self, settings: DataSettings, replicate: Replicate) -> splits.Split:
        """The examples that a replicate's cells learn from.

        Raises:
            InputError: where the data cannot serve the settings.
        """
        resampling = self.study.resampling
        cut = None if resampling is None else resampling.cut
        return splits.draw_cell(self.dataset, settings, replicate, cut)


def prepare(study: Declaration, before: Mapping[str, Any] | None = None) -> Ready:
    """Check everything that can be wrong, before anything runs.

    Args:
        study: What is asked.
        before: The plan of an earlier run in the same folder: what `auto` came to then, holds.

    Raises:
        InputError: for settings, data, names or metrics that are not allowed.
    """
    declare(study)  # its faults are told before any data are fetched
    dataset = catalogue.load(study.dataset)
    resampling = study.resampling
    on_test = resampling is None or resampling.then_test
    if on_test and (dataset.test is None or not dataset.test.known.any()):
        without = "resampling compares without one"
        without += "" if resampling is None else " where then_test is false"
        raise InputError(
            f"dataset: {dataset.name} has no labelled test split to compare on ({without})"
        )
    numerics = None if before is None else Numerics.parse({**BEFORE, **before["numerics"]})
    planned = resolve(study, dataset, numerics)
    ready = Ready(study, dataset, tuple(planned), plan_looks(study.seeds))
    faults: list[str] = []
    if study.margin is None and ready.control.inputs:
        faults.append(
            "margin: to be declared where the control needs another recipe's result, because that "
            "recipe is scored before there is a validation score of the control"
        )
    offers: dict[DataSettings, Offer] = {}
    every = [one for p in planned for one in p.whole]
    compared = {p.recipe.data for p in planned}
    for settings in {one.recipe.data: None for one in every}:
        try:  # budgets and classes that the data cannot serve
            drawn = [ready.split(settings, r) for r in ready.replicates(ready.looks.seeds[:1])]
            offers[settings] = _offer(dataset, drawn)
            if on_test:
                splits.examples_of_test(dataset, settings)
        except InputError as error:
            asked = "data.labels" if settings in compared else "search.labels"
            faults += [fault.replace("data.labels", asked, 1) for fault in error.faults]
    if faults := list(dict.fromkeys(faults)):
        raise InputError(faults)
    known = [] if before is None else _built_before(before)
    new = [p for p in planned if any(r.recipe.resolved() not in known for r in p.whole[1:] or [p])]
    faults += _building_faults(new, _Building(every, offers))
    weights: dict[str, Mapping[str, str]] = {}
    for p in every:
        try:
            weights[p.name] = weights_of(p.recipe.settings)
        except InputError as error:
            faults += [f"{p.name}: {fault}" for fault in error.faults]
    if faults := list(dict.fromkeys(faults)):
        raise InputError(faults)
    _refuse_scored_texts(study, dataset, every)
    found = {p.name: _vocabulary(p) for p in every}
    vocabularies = {name: tokens for name, tokens in found.items() if tokens}
    _refuse_foreign_tokens(study, vocabularies)
    _refuse_long_words(study, dataset)
    return replace(ready, weights=weights, vocabularies=vocabularies)


def _built_before(before: Mapping[str, Any]) -> list[Any]:
    """The recipes of an earlier run, as a search left them and as it tried them."""
    recipes = before["recipes"].values()
    return [r["recipe"] for r in recipes] + [
        t["recipe"] for r in recipes for t in r.get("trials", ())
    ]


def _vocabulary(p: Planned) -> str:
    """What the tokens of a recipe are; empty where it cuts no texts into any."""
    technique = find(p.recipe.technique)
    return technique.vocabulary(p.recipe.settings) if isinstance(technique, Tokenising) else ""


def _refuse_foreign_tokens(study: Declaration, vocabularies: Mapping[str, str]) -> None:
    """Figures per token compare recipes that cut texts into the same tokens alone.

    Raises:
        InputError: where the study's metric is such a figure, and they do not.
    """
    if measure_of(study.metric).unit != "token" or len(set(vocabularies.values())) < 2:
        return
    (first, own), *others = vocabularies.items()
    other = next(name for name, tokens in others if tokens != own)
    allowed = " or ".join(f"{study.scored_split}/{unit}_perplexity" for unit in ("word", "byte"))
    raise InputError(
        f"metric: {study.metric} received, but {first} and {other} cut texts into different "
        f"tokens, so that a figure per token compares nothing (allowed: {allowed})"
    )


def _refuse_scored_texts(study: Declaration, dataset: Dataset, every: Sequence[Planned]) -> None:
    """What a student learns from beside the data, if only from a teacher's words, scores nothing.

    Raises:
        InputError: where extra texts are among those of test, or with folds among any.
    """
    asked = {own: p for p in every for own in parts(p.recipe.settings, TeacherSettings)}
    extra = {own: texts for own in asked if (texts := extra_texts(own))}
    if not extra:
        return
    scored = [dataset.test, None if study.resampling is None else dataset.train]
    known = {str(text).strip() for part in scored if part is not None for text in part.items}
    faults = []
    for own, texts in extra.items():
        if seen := [text for text in texts if text in known]:
            faults.append(
                f"{asked[own].name}: {EXTRA}: {len(seen):,} of {len(texts):,} texts are among "
                f"those that are scored, {shown(seen[0])[:60]!r} for one (allowed: others alone)"
            )
    if faults:
        raise InputError(faults)


def _refuse_long_words(study: Declaration, dataset: Dataset) -> None:
    """Texts that are written without spaces have no figures per word.

    Raises:
        InputError: where the study's metric is one, and a model that says nothing (8 bits a byte)
            would have a figure that is too large.
    """
    if measure_of(study.metric).unit != "word":
        return
    longest = math.log(LARGEST) / math.log(256)
    for name, examples in dataset.splits.items():
        known = examples.take(np.flatnonzero(examples.known))
        words, size = known.labels.sum(), sum(byte_count(str(text)) for text in known.items)
        if size > longest * words:
            raise InputError(
                f"metric: {study.metric} received, but what stands between spaces in the {name} "
                f"texts of {dataset.name} has {size / max(words, 1):.0f} bytes on average (allowed "
                f"per word: {longest:.0f}; {study.scored_split}/byte_perplexity needs no words)"
            )


def _offer(dataset: Dataset, drawn: Sequence[splits.Split]) -> Offer:
    """What the cells of some splits have at least."""
    classes = drawn[0].classes
    rows = [dataset.classes.index(name) for name in classes]
    strata = strata_of(dataset.train)
    counts = [np.bincount(strata[s.train], minlength=len(dataset.classes))[rows] for s in drawn]
    least = np.min(counts, axis=0).tolist()
    examples = min(len(split.train) for split in drawn)
    return Offer(dataset.shape, examples, dict(zip(classes, least, strict=True)))


class _Building:
    """Recipes built without learning anything, and what is wrong with them.

    Recipes that differ in their examples alone are built once: a factor crosses each with many
    budgets, and building one can mean reading pretrained weights. Those whose vectors others read
    are kept for these to be looked at beside them.

    Args:
        planned: All recipes.
        offers: What the data offer, by what is drawn.
    """

    def __init__(self, planned: Sequence[Planned], offers: Mapping[DataSettings, Offer]) -> None:
        self._planned, self._offers = {p.name: p for p in planned}, offers
        self._needed = {self._key(e) for p in planned for e in self._encoders(p).values()}
        self._kept: dict[str, Predictor] = {}
        self._faults: dict[str, tuple[str, ...]] = {}

    def faults(self, p: Planned) -> tuple[str, ...]:
        """For which nothing can be fitted to such data; those of encoders are told of these."""
        offer, technique = self._offer(p), find(p.recipe.technique)
        if offer is None:
            return ()
        faults = self._build(p, offer)
        if not faults and isinstance(technique, Checking):
            faults = _faults_of(partial(technique.check, p.recipe.settings, offer))
        return faults

    def _build(self, p: Planned, offer: Offer) -> tuple[str, ...]:
        """Build a recipe, unless that was done; what its technique refuses."""
        key = self._key(p)
        if key not in self._faults:
            self._faults[key] = _faults_of(partial(self._stand, p, offer, key))
        return self._faults[key]

    def _stand(self, p: Planned, offer: Offer, key: str) -> None:
        technique, settings = find(p.recipe.technique), p.recipe.settings
        if isinstance(technique, OnEncoders):
            built = technique.untrained_on(settings, offer)
        else:
            built = technique.untrained(settings, offer.shape, len(offer.by_class))
        if key in self._needed:
            self._kept[key] = built

    def _offer(self, p: Planned) -> Offer | None:
        """What is offered to a recipe; None where it reads vectors of one that cannot be built."""
        inputs = {}
        for name, encoder in self._encoders(p).items():
            theirs = self._offer(encoder)
            if theirs is None or self._build(encoder, theirs):
                return None
            inputs[name] = self._kept[self._key(encoder)]
        return replace(self._offers[p.recipe.data], inputs=inputs)

    def _encoders(self, p: Planned) -> dict[str, Planned]:
        """The recipe whose vectors it reads, if any, by the name it refers to."""
        name = vectors_from(p.recipe.settings)
        return {} if name is None else {name: self._planned[p.inputs[name].recipe]}

    def _key(self, p: Planned) -> str:
        """What building it is a function of."""
        classes = len(self._offers[p.recipe.data].by_class)
        encoders = [self._key(e) for e in self._encoders(p).values()]
        content = [p.recipe.technique, plain(p.recipe.settings), classes, encoders]
        return digest(canonical_json(content))


def _building_faults(planned: Sequence[Planned], building: _Building) -> list[str]:
    """For which nothing can be fitted; of what is searched only what is the values' fault."""
    faults: list[str] = []
    for p in planned:
        own = building.faults(p)
        faults += [f"{p.name}: {fault}" for fault in own]
        for one in p.whole[1:]:
            of_values = [fault for fault in building.faults(one) if fault not in own]
            faults += [f"search.grid: {one.name}: {fault}" for fault in of_values]
    return faults


def _faults_of(ask: Callable[[], object]) -> tuple[str, ...]:
    """What is refused."""
    try:
        ask()
    except InputError as error:
        return error.faults
    return ()


def _drawn_for(needed: Input, at: Replicate, own: Purpose) -> Replicate:
    """What an input is fitted with for a cell.

    A seed that is one for all that are compared is none of trials': what was fitted with it learnt
    from examples that may validate a trial.
    """
    return at if needed.seed is None or own == "trial" else at.at_seed(needed.seed)


def cells_of(
    ready: Ready,
    planned: Sequence[Planned],
    replicates: Sequence[Replicate],
    purpose: Purpose = "final",
    own: Purpose = "final",
) -> dict[tuple[str, Replicate], Cell]:
    """The cells of some recipes, and those they need, by recipe and drawn replicate.

    They come replicate by replicate, so that recipes interleave in time; inputs before what needs
    them.

    Args:
        ready: The study.
        planned: Of its recipes.
        replicates: As planned: a recipe that is run again moves their seeds.
        purpose: Of inputs that are not among the recipes themselves.
        own: Of the recipes themselves.
    """
    by_name = {p.name: p for p in ready.planned}
    asked = {p.name for p in planned}
    resampling = ready.study.resampling
    hashes: dict[tuple[DataSettings, Replicate], str] = {}
    cells: dict[tuple[str, Replicate], Cell] = {}

    def add(p: Planned, at: Replicate) -> Cell:
        if (p.name, at) in cells:
            return cells[p.name, at]
        inputs = {
            name: add(by_name[needed.recipe], _drawn_for(needed, at, own)).key
            for name, needed in p.inputs.items()
        }
        data = p.recipe.data
        if (data, at) not in hashes:
            hashes[data, at] = ready.split(data, at).hash
        cells[p.name, at] = Cell(
            recipe=p.recipe,
            replicate=at,
            data_hash=ready.dataset.hash,
            split_hash=hashes[data, at],
            version=find(p.recipe.technique).version,
            inputs=inputs,
            purpose=own if p.name in asked else purpose,
            folds=None if resampling is None or at.fold is None else resampling.cut,
            weights=ready.weights[p.name],
        )
        return cells[p.name, at]

    for replicate in replicates:
        for p in planned:
            add(p, p.drawn(replicate))
    return cells
