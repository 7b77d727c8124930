"""What every built-in study promises, tried on each: a new one is found by itself.

Every recipe runs for two updates on made-up data of its data set's shape, so no real data is
needed. The commands that the README and the documents name are read as the command line reads them.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from tests.contracts.small import cell_of, run_of
from tests.models.causal_models import save_causal
from tests.models.tiny import Kind, save_tiny

from bakeoff.cli import group
from bakeoff.core.cell import Replicate
from bakeoff.core.examples import Examples, Items
from bakeoff.core.perplexity import Protocol
from bakeoff.core.protocols import Predictor
from bakeoff.core.recipe import Recipe
from bakeoff.data import splits
from bakeoff.data.blocks import BlockSettings
from bakeoff.data.catalogue import DATASETS
from bakeoff.data.corpus import documents as texts_of
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.sources import Entry
from bakeoff.models.settings import VggEncoderSettings
from bakeoff.study.looks import plan_looks
from bakeoff.study.prepare import prepare
from bakeoff.study.resolve import declare, resolve
from bakeoff.study.study import BUILT_IN, Study, built_in_names, load_study, parse_yaml
from bakeoff.techniques import find

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PER_CLASS = 12
"""Made-up training examples a class; half of them are the label budget."""
ENOUGH = 2500
"""Made-up training examples a class, of which every study's label budget can be drawn."""
FEWEST_SEEDS = 3
FEWEST_FOLDS = 5


@pytest.fixture(params=built_in_names())
def study(request: pytest.FixtureRequest) -> Study:
    return load_study(request.param)


def entry_of(study: Study) -> Entry:
    assert isinstance(study.dataset, str), "a built-in study is about a set of the catalogue"
    return DATASETS[study.dataset]


def made_up(entry: Entry, per_class: int = PER_CLASS) -> Dataset:
    """Noise in the shape of a data set."""

    def examples(per_class: int, seed: int) -> Examples:
        generator = np.random.default_rng(seed)
        items: Items
        if entry.modality == "numbers":
            rows = generator.normal(size=(4 * per_class, *entry.shape))
            return Examples(rows, rows.sum(axis=1), numbered(len(rows)))
        if not entry.classes:
            return texts_of([f"text {i} of {seed} is to be foretold" for i in range(per_class)])
        labels = np.repeat(np.arange(len(entry.classes)), per_class)
        if entry.modality == "image":
            items = generator.integers(0, 256, (len(labels), *entry.shape), np.uint8)
        else:
            items = [f"word{n} is of {entry.classes[n]}, said {i}" for i, n in enumerate(labels)]
        return Examples(items, labels, numbered(len(labels)))

    train, test = examples(per_class, 0), examples(2, 1)
    columns = tuple(f"x{i}" for i in range(*entry.shape)) if entry.modality == "numbers" else ()
    return Dataset(entry.name, entry.modality, entry.classes, train, test, columns=columns)


def shortened(recipe: Recipe, classes: int, weights: Path) -> Recipe:
    """A recipe of two updates, on half of the made-up examples, with one thread.

    Language models are small ones in place of those that the study names; of the greatest encoder
    of images the widest layer is narrow, or it alone would take half a minute.
    """
    settings = recipe.settings
    model = getattr(settings, "model", None)
    if model is not None and recipe.technique == "language-model" and model.weights is not None:
        small = model.model_copy(update={"weights": str(weights)})
        short = {"scoring": Protocol(context=8, stride=8), "blocks": BlockSettings(tokens=8)}
        settings = settings.model_copy(update={"model": small, **short})
    if isinstance(model, VggEncoderSettings):
        narrow = model.model_copy(update={"hidden": 64})
        settings = settings.model_copy(update={"model": narrow})
    training = getattr(settings, "training", None)
    if training is not None:
        few = {"epochs": None, "iterations": 2, "validate_every": None, "batch_size": 8}
        settings = settings.model_copy(update={"training": training.model_copy(update=few)})
    classes = len(recipe.data.classes or ()) or classes
    data = {
        "labels": max(classes, 1) * PER_CLASS // 2,
        # Of so few, less would leave none, and more there is not.
        "validation": min(max(recipe.data.validation, 0.2), 2),
    }
    return recipe.model_copy(
        update={
            "settings": settings,
            "data": recipe.data.model_copy(update=data),
            "numerics": recipe.numerics.model_copy(update={"threads": 1}),
        }
    )


def test_asks_a_question(study: Study) -> None:
    assert study.question.endswith("?")
    assert len(study.question.split()) >= 5
    assert (BUILT_IN / f"{study.name}.yaml").exists()
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", study.name)


def test_says_what_matters(study: Study) -> None:
    assert study.margin is not None
    assert study.margin > 0
    if study.resampling is None:
        assert plan_looks(study.seeds).sizes[0] >= FEWEST_SEEDS
    else:
        assert study.resampling.folds >= FEWEST_FOLDS
    assert study.variants or study.factors
    for reference in study.references:
        assert reference.source


def drawn(study: Study, dataset: Dataset, recipe: Recipe) -> splits.Split:
    """What the first cell of a recipe learns from: with resampling all but the first fold."""
    if study.resampling is None:
        return splits.draw_cell(dataset, recipe.data, Replicate(seed=0), None)
    first = Replicate(seed=0, fold=0)
    return splits.draw_cell(dataset, recipe.data, first, study.resampling.cut)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("llama"), "llama")


def test_can_be_planned(study: Study, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(dataset: object) -> Dataset:
        return made_up(entry_of(study), ENOUGH)

    monkeypatch.setattr("bakeoff.data.catalogue.load", load)
    small: dict[str, object] = {}
    if study.control["technique"] == "language-model":
        few = Protocol(context=8, stride=8).model_dump()
        small = {"model.weights": str(weights), "blocks.tokens": 8, "scoring": few}
    assert prepare(load_study(study.name, small)).planned


def test_every_recipe_runs(
    study: Study, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.training.torch.inference.LARGEST_PASS", 16)  # passes are filled up
    dataset = made_up(entry_of(study))
    fitted: dict[str, Predictor] = {}
    for planned in resolve(study, dataset):
        recipe = shortened(planned.recipe, len(dataset.classes), weights)
        split = drawn(study, dataset, recipe)
        inputs = {name: fitted[needed.recipe] for name, needed in planned.inputs.items()}
        run = run_of(recipe, tmp_path / planned.name)
        predictor = find(recipe.technique).fit(cell_of(recipe), split.training_data(), inputs, run)
        fitted[planned.name] = predictor
        scored = dataset.test if split.fold is None else dataset.train.take(split.fold)
        assert scored is not None
        outputs = predictor.predict(scored.items)
        shape = (len(scored), len(split.classes)) if split.classes else (len(scored),)
        shape = (len(scored), 4) if dataset.task_name == "language-modelling" else shape
        assert outputs.shape == shape, planned.name
        assert np.isfinite(outputs).all(), planned.name


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "llama"])
def test_cola_lora_crosses_rank_and_layers_with_weights_of_any_family(
    kind: Kind, tmp_path: Path
) -> None:
    weights = save_tiny(tmp_path, kind, limit=64)
    planned = declare(load_study("cola-lora", {"model.weights": str(weights)}))
    trained = {}
    for p in planned:
        if p.recipe.technique == "fine-tune":
            layers = find("fine-tune").untrained(p.recipe.settings, (), 2).layers()
            trained[p.name] = sum(layer.trained_parameters for layer in layers)
    head = trained["head-only"]
    for name in ("lora-8", "lora-8-all-layers"):
        assert trained[name] - head == 4 * (trained[name.replace("8", "2")] - head)
    assert trained["lora-8"] < trained["lora-8-all-layers"] < trained["full"]


def test_evidence_that_the_readme_names() -> None:
    if not README.exists() or not (ROOT / "evidence").exists():
        pytest.skip("no README or no evidence yet")
    for name in re.findall(r"\bevidence/([a-z0-9-]+)", README.read_text(encoding="utf-8")):
        folder = ROOT / "evidence" / name
        for file in ("study.yaml", "plan.json", "results.json", "manifest.json"):
            assert (folder / file).is_file(), f"README names evidence/{name}, which lacks {file}"


def documents() -> list[Path]:
    found = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if path.exists()]


def commands(path: Path) -> Iterator[str]:
    """Every `bakeoff ...` in code of a document; continued lines are joined."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^\s*\$?\s*(bakeoff .*)$", block, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for command in re.findall(r"`(bakeoff\s[^`]*)`", prose):
        yield " ".join(command.split())


def fault(command: str) -> str | None:
    """Why the command line would not take a command, or None. Nothing is run."""
    named = re.sub(r"<([\w-]+)>", r"\1", command)  # <name> is no redirection
    text = re.split(r"\||>|&&|;|\.\.\.", named)[0]
    words = shlex.split(text, comments=True)[1:]
    context: click.Context = click.Context(group, info_name="bakeoff")
    here: click.Command = group
    while isinstance(here, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        found = here.get_command(context, name)
        if found is None:
            return f"there is no command {name}"
        here, context = found, click.Context(found, info_name=name, parent=context)
    if not words:
        return None  # a command is only named
    try:
        given, _, _ = here.make_parser(context).parse_args(list(words))
        for parameter in here.params:
            value = given.get(parameter.name)
            there = isinstance(value, str) or (isinstance(value, tuple | list) and len(value) > 0)
            if isinstance(parameter, click.Argument) and not there:
                return f"{parameter.make_metavar(context)} is missing"
            if isinstance(parameter.type, click.Choice | click.IntRange) and value is not None:
                parameter.type_cast_value(context, value)
    except click.ClickException as error:
        return error.format_message()
    study = given.get("study")
    if study is not None and study.islower() and "." not in study:
        return None if study in built_in_names() else f"there is no built-in study {study}"
    return None


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documented_commands_parse(path: Path) -> None:
    faults = {command: why for command in commands(path) if (why := fault(command))}
    assert not faults


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documented_studies_are_studies(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        content = parse_yaml(block)
        if {"question", "control"} <= set(content):
            assert declare(Study.parse(content))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("bakeoff run digits-first --seeds 3 --set training.epochs=2 | tee log", None),
        ("bakeoff run my-study.yaml --jobs 2  # in the background", None),
        ("bakeoff show STUDY", None),
        ("bakeoff pack runs/<name> evidence/<name>", None),
        ("bakeoff list techniques|models", None),
        ("bakeoff data list", None),
        ("bakeoff", None),
        ("bakeoff --version", None),
        ("bakeoff verify", None),
        ("bakeoff generate gpt2", "PROMPT... is missing"),
        ('bakeoff generate gpt2 "one" "two"', None),
        ("bakeoff pack RUN", "TARGET is missing"),
        ("bakeoff runn x", "no command runn"),
        ("bakeoff data lst", "no command lst"),
        ("bakeoff run digits-first --sede 3", "--sede"),
        ("bakeoff run digits-second", "digits-second"),
        ("bakeoff list cats", "cats"),
        ("bakeoff run digits-first --jobs 0", "0"),
    ],
)
def test_commands_are_read(command: str, why: str | None) -> None:
    found = fault(command)
    assert (found is None) == (why is None), found
    assert (why or "") in (found or "")
