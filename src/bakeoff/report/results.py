"""`results.json` as typed values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bakeoff.core.measures import MEASURES, bare, measure_of
from bakeoff.report import words
from bakeoff.report.values import Range, interval, listing, mapping, number, text, whole

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Draw = int | tuple[int, int]
"""What one value of a score is of: a seed, or the repeat and the number of a fold."""
OUTCOMES: tuple[Outcome, ...] = ("better", "equivalent", "worse", "undecided")
TIMED = {
    "alone": ("train_seconds", "evaluate_examples_per_second"),
    "tuning_alone": ("tuning_seconds",),
}
"""What says of costs whether they are a price, and of which."""


@dataclass(frozen=True)
class Score:
    """One metric of one recipe: a value per seed, or per fold, and what they come to."""

    values: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    ci95: Range | None


@dataclass(frozen=True)
class Part:
    """One recipe on a published part of the test split: examples, and scores by `test/name`."""

    count: int | None
    metrics: Mapping[str, Score]


@dataclass(frozen=True)
class RecipeResult:
    """One recipe of a study.

    Attributes:
        name: Its name in the study.
        index: Its place among the recipes, the control first: decides colour and marker.
        technique: What it is of.
        changed: The fields it changes against the control.
        seeds: Finished ones.
        draws: What the values of its scores are of: the seeds, or the folds.
        failed: Seeds without a result, or the labels of a fold's cells.
        metrics: By `split/name`.
        cost: By the names of `results.json`.
        rough: Those of `cost` that are no price: other work ran while they were measured.
        recipe: Every field, resolved.
        level: Values of the crossed factors.
        diverged: Seeds whose training diverged, or the labels of a fold's cells.
        late: Whether it was added after a test score, or a fold score, was read.
        dropped: Whether it was taken out of the study after that.
        parts: Of the test split, by name, where some are told apart.
        keys: Of the cells that all this is of.
        vocabulary: What the tokens are that it cuts texts into; empty where it cuts none.
        search: How values of its fields were chosen on validation; empty where none were.
    """

    name: str
    index: int
    technique: str
    changed: Mapping[str, Any]
    seeds: tuple[int, ...]
    draws: tuple[Draw, ...]
    failed: tuple[str, ...]
    metrics: Mapping[str, Score]
    cost: Mapping[str, float | None]
    rough: frozenset[str]
    recipe: Mapping[str, Any]
    level: Mapping[str, Any]
    diverged: tuple[str, ...]
    late: bool
    dropped: bool
    parts: Mapping[str, Part]
    keys: frozenset[str]
    vocabulary: str = ""
    search: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One comparison; differences are positive where `a` is better."""

    a: str
    b: str
    level: Mapping[str, Any]
    metric: str
    difference: float | None
    ci95: Range | None
    ci_this_test_set: Range | None
    numbers: Mapping[str, float | None]
    """p_value, p_corrected, p_equivalence, look, alpha_spent, examples_to_decide."""
    outcome: Outcome
    exploratory: bool
    cost_ratio: float | None
    cost_ratio_ci95: Range | None
    macs_ratio: float | None
    seeds_to_decide: Range | None
    limited_by: str
    sentence: str
    reason: str

    @property
    def short_a(self) -> str:
        """The variant's name without its level, which is told beside it."""
        return short_name(self.a, self.level)

    @property
    def short_b(self) -> str:
        """The control's."""
        return short_name(self.b, self.level)


@dataclass(frozen=True)
class Reference:
    """A published figure to lay beside ours."""

    label: str
    value: float
    source: str


@dataclass(frozen=True)
class Folds:
    """How a cross-validated study cut its training examples."""

    count: int
    repeats: int


@dataclass(frozen=True)
class Final:
    """The recipe chosen on folds, its means over seeds on test, by `test/name`, and its cells."""

    recipe: str
    sentence: str
    metrics: Mapping[str, float | None]
    failed: tuple[str, ...]
    keys: frozenset[str]


@dataclass(frozen=True)
class Results:
    """Everything `results.json` says."""

    study: str
    question: str
    metric: str
    direction: Literal["max", "min"]
    control: str
    recipes: tuple[RecipeResult, ...]
    margin: float | None
    margin_declared: bool
    population: str
    verdicts: tuple[Verdict, ...]
    dataset: Mapping[str, Any]
    references: tuple[Reference, ...]
    ledger: Mapping[str, Any]
    environment: Mapping[str, Any]
    source: Mapping[str, Any]
    noise_floor: float | None
    seeds_planned: str
    looks: tuple[int, ...]
    """Seeds at which the study may be judged; empty with folds."""
    costs_alone: bool
    folds: Folds | None = None
    final: Final | None = None
    effects: tuple[str, ...] = ()
    """Of each change that is combined with others in every way, a sentence."""
    protocol: str = ""
    """By what texts were scored, as in the names of their figures."""

    @property
    def unit(self) -> str:
        """What a score is a mean over: `seed`, or `fold`."""
        return "fold" if self.folds else "seed"

    @property
    def judged_by(self) -> words.Metric:
        """The study's metric, as it is written."""
        return self.metric_of(self.metric)

    def metric_of(self, name: str) -> words.Metric:
        """How a metric of this study is written."""
        return words.Metric(name, self.protocol)

    def shares_a_column(self, metric: str) -> bool:
        """Whether recipes' scores in a metric may stand side by side: tokens may not be others."""
        per_token = bare(metric) in MEASURES and measure_of(metric).unit == "token"
        tokens = {recipe.vocabulary for recipe in self.recipes if recipe.vocabulary}
        return not per_token or len(tokens) < 2

    def draw_name(self, draw: Draw) -> str:
        """`seed 0`, `fold 2`, `repeat 1, fold 2`."""
        if isinstance(draw, int):
            return f"{self.unit} {draw}"
        repeat, fold = draw
        return (
            f"fold {fold}"
            if self.folds and self.folds.repeats < 2
            else (f"repeat {repeat}, fold {fold}")
        )

    @property
    def task(self) -> str:
        """What was asked of the data."""
        return text(self.dataset.get("task"), "classification")

    def recipe(self, name: str) -> RecipeResult | None:
        """The recipe of a name."""
        return next((recipe for recipe in self.recipes if recipe.name == name), None)

    def score(self, recipe: RecipeResult, metric: str | None = None) -> Score | None:
        """A recipe's score in the study's metric, or in another."""
        return recipe.metrics.get(metric or self.metric)

    def verdict(self, name: str) -> Verdict | None:
        """The first verdict on a recipe as the variant, of the study's metric."""
        return next((v for v in self.verdicts if v.a == name and v.metric == self.metric), None)

    def judged(self) -> tuple[Verdict, ...]:
        """The verdicts of the study's metric."""
        return tuple(verdict for verdict in self.verdicts if verdict.metric == self.metric)

    def levels(self) -> list[tuple[str, list[Verdict]]]:
        """The verdicts of the study's metric, by level of the crossed factors, in order."""
        groups: dict[str, list[Verdict]] = {}
        for verdict in self.judged():
            groups.setdefault(level_name(verdict.level), []).append(verdict)
        return list(groups.items())

    def rivals(self) -> dict[str, str]:
        """Whom each variant is compared with: the control, with factors that of its level."""
        return {verdict.a: verdict.b for verdict in reversed(self.judged())}

    def controls(self) -> set[str]:
        """The control, and with factors the one of every level."""
        compared = {v.b for v in self.judged() if not any(v.b == w.a for w in self.judged())}
        return compared | {self.control}


def short_name(name: str, level: Mapping[str, Any]) -> str:
    """A recipe's name without `@field=value` of its level; names themselves hold no `@`."""
    return name.partition("@")[0] if level else name


def level_name(level: Mapping[str, Any]) -> str:
    """A level of the crossed factors in words; empty without factors."""
    return ", ".join(f"{name} = {text(value, str(value))}" for name, value in level.items())


def parse(content: Mapping[str, Any]) -> Results:
    """Typed values of the content of a `results.json`."""
    metric = text(content.get("metric"), "test/accuracy")
    control = text(content.get("control"))
    recipes = mapping(content.get("recipes"))
    ordered = sorted(recipes, key=lambda name: name != control)  # stable: the control comes first
    return Results(
        study=text(content.get("study"), "study"),
        question=text(content.get("question")),
        metric=metric,
        direction="min" if content.get("direction") == "min" else "max",
        control=control,
        recipes=tuple(_recipe(n, i, mapping(recipes[n])) for i, n in enumerate(ordered)),
        margin=number(content.get("margin")),
        margin_declared=content.get("margin_source") != "default",
        population=text(content.get("population")),
        verdicts=tuple(_verdict(mapping(v), metric) for v in listing(content.get("verdicts"))),
        dataset=mapping(content.get("dataset")),
        references=tuple(_references(listing(content.get("references")))),
        ledger=mapping(content.get("ledger")),
        environment=mapping(content.get("environment")),
        source=mapping(content.get("source")),
        noise_floor=number(content.get("noise_floor")),
        seeds_planned=_planned(content.get("seeds_planned")),
        looks=tuple(n for look in listing(content.get("looks")) if (n := whole(look)) is not None),
        costs_alone=content.get("costs_alone") is not False,
        folds=_folds(mapping(content.get("resampling"))),
        final=_final(mapping(content.get("final"))),
        protocol=text(content.get("protocol")),
        effects=tuple(text(mapping(e).get("sentence")) for e in listing(content.get("effects"))),
    )


def _recipe(name: str, index: int, row: dict[str, Any]) -> RecipeResult:
    parts = {part: mapping(value) for part, value in mapping(row.get("parts")).items()}
    resolved, cost = mapping(row.get("recipe")), mapping(row.get("cost"))
    seeds = tuple(s for seed in listing(row.get("seeds")) if (s := whole(seed)) is not None)
    return RecipeResult(
        name=name,
        index=index,
        technique=text(row.get("technique")) or text(resolved.get("technique")),
        changed=mapping(row.get("changed")),
        seeds=seeds,
        draws=_draws(listing(row.get("folds"))) or seeds,
        failed=tuple(text(seed, "?") for seed in listing(row.get("failed"))),
        metrics=_scores(row.get("metrics")),
        cost={key: number(value) for key, value in cost.items()},
        rough=frozenset(
            name for alone, names in TIMED.items() if cost.get(alone) is False for name in names
        ),
        recipe=resolved,
        level=mapping(row.get("level")),
        diverged=_diverged(row.get("statuses"), listing(row.get("cells", row.get("seeds")))),
        late=row.get("late") is True,
        dropped=row.get("dropped") is True,
        parts={
            part: Part(whole(value.get("count")), _scores(value.get("metrics")))
            for part, value in parts.items()
        },
        keys=_keys(row),
        vocabulary=text(row.get("vocabulary")),
        search=mapping(row.get("search")),
    )


def _keys(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(text(key) for key in listing(row.get("keys")))


def _scores(given: object) -> dict[str, Score]:
    return {name: _score(mapping(value), name) for name, value in mapping(given).items()}


def _draws(rows: list[Any]) -> tuple[Draw, ...]:
    """Repeat and number of every fold; () where one of them is none."""
    pairs = [(whole(row.get("repeat", 0)), whole(row.get("fold"))) for row in map(mapping, rows)]
    known = [(r, f) for r, f in pairs if r is not None and f is not None]
    return tuple(known) if len(known) == len(pairs) else ()


def _folds(row: dict[str, Any]) -> Folds | None:
    count, repeats = whole(row.get("folds")), whole(row.get("repeats", 1))
    return None if count is None or count < 2 else Folds(count, repeats or 1)


def _final(row: dict[str, Any]) -> Final | None:
    if not text(row.get("recipe")):
        return None
    return Final(
        recipe=text(row.get("recipe")),
        sentence=text(row.get("sentence")),
        metrics={name: number(value) for name, value in mapping(row.get("metrics")).items()},
        failed=tuple(text(seed, "?") for seed in listing(row.get("failed"))),
        keys=_keys(row),
    )


def _diverged(statuses: object, seeds: list[Any]) -> tuple[str, ...]:
    """Seeds that diverged, from `statuses` by seed or in the order of the seeds."""
    if isinstance(statuses, dict):
        pairs = list(statuses.items())
    else:
        pairs = list(zip(seeds, listing(statuses), strict=False))
    return tuple(text(seed, "?") for seed, status in pairs if status == "diverged")


def _score(row: dict[str, Any], metric: str) -> Score:
    return Score(
        values=tuple(number(value) for value in listing(row.get("values"))),
        mean=number(row.get("mean")),
        sd=number(row.get("sd")),
        ci95=_within(interval(row.get("ci95")), *_ends(metric)),
    )


def _ends(metric: str) -> Range:
    """What a metric can be; anything where nobody knows."""
    return measure_of(metric).range if bare(metric) in MEASURES else (-math.inf, math.inf)


def _within(ends: Range | None, least: float, most: float) -> Range | None:
    """An interval as far as it is possible: few seeds give wide ones, which plots would show."""
    return ends and (max(ends[0], least), min(ends[1], most))


_NUMBERS = (
    "p_value",
    "p_corrected",
    "p_equivalence",
    "look",
    "alpha_spent",
    "examples_to_decide",
)


def _verdict(row: dict[str, Any], metric: str) -> Verdict:
    found = row.get("outcome")
    outcome: Outcome = next((known for known in OUTCOMES if known == found), "undecided")
    least, most = _ends(text(row.get("metric"), metric))
    widest = most - least
    return Verdict(
        a=text(row.get("a"), "?"),
        b=text(row.get("b"), "?"),
        level=mapping(row.get("level")),
        metric=text(row.get("metric"), metric),
        difference=number(row.get("difference")),
        ci95=_within(interval(row.get("ci95")), -widest, widest),
        ci_this_test_set=_within(interval(row.get("ci_this_test_set")), -widest, widest),
        numbers={name: number(row.get(name)) for name in _NUMBERS},
        outcome=outcome,
        exploratory=row.get("exploratory") is True,
        cost_ratio=number(row.get("cost_ratio")),
        cost_ratio_ci95=interval(row.get("cost_ratio_ci95")),
        macs_ratio=number(row.get("macs_ratio")),
        seeds_to_decide=_seeds(row.get("seeds_to_decide")),
        limited_by=text(row.get("limited_by")),
        sentence=text(row.get("sentence")),
        reason=text(row.get("reason")),
    )


def _seeds(value: object) -> Range | None:
    """`{"from", "to"}`, a pair, or one number."""
    single = number(value)
    if single is not None:
        return single, single
    ends = mapping(value)
    return interval([ends.get("from"), ends.get("to")] if ends else value)


def _references(rows: list[Any]) -> list[Reference]:
    found = []
    for row in map(mapping, rows):
        value = number(row.get("value"))
        if value is not None:
            label = text(row.get("label"), "reference")
            found.append(Reference(label, value, text(row.get("source"))))
    return found


def _planned(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(text(entry, "?") for entry in value)
    return text(value)
