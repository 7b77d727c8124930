"""What every technique promises, tried on each of them: a new one is found by itself."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter
from tests.contracts.small import (
    STEPS,
    Attempt,
    Bench,
    cell_of,
    corpus,
    dataset_of,
    modality_of,
    resolved,
    run_of,
    same_bits,
    settings_of,
)

from bakeoff.cli.profile import per_example
from bakeoff.core.errors import InputError, Interrupted
from bakeoff.core.examples import Items, Modality, take_items
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.protocols import Cutting, LayerProfile, Technique
from bakeoff.core.recipe import DataSettings, Framework, Recipe, Settings
from bakeoff.core.streams import Streams
from bakeoff.core.tasks import TASKS
from bakeoff.data import splits
from bakeoff.data.hashing import examples_hash
from bakeoff.techniques import TECHNIQUES, find, frameworks_of, names
from bakeoff.techniques.recipes import parse_recipe

MODULES = Path(__file__).resolve().parents[2] / "src" / "bakeoff" / "techniques"


@pytest.fixture(params=sorted(TECHNIQUES))
def technique(request: pytest.FixtureRequest) -> Technique:
    return find(request.param)


WAYS = [(name, framework) for name in sorted(TECHNIQUES) for framework in frameworks_of(find(name))]
"""Every technique in every framework that it can compute in."""


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[Technique, Framework]:
    name, framework = request.param
    return find(name), framework


@pytest.fixture
def bench(way: tuple[Technique, Framework], tmp_path: Path) -> Bench:
    technique, framework = way
    return Bench(technique, tmp_path, framework)


class Fitted:
    """A technique's predictor with its data."""

    def __init__(self, technique: Technique, folder: Path, attempt: Attempt) -> None:
        self.technique, self.folder, self.attempt = technique, folder, attempt
        self.predictor, self.data = attempt.predictor, attempt.data
        self.items = take_items(attempt.data.validation.items, np.arange(60))

    @property
    def classes(self) -> int:
        return len(self.data.task.classes)

    def check(self, found: NDArray[Any], count: int) -> None:
        """Outputs are what the task takes: probabilities of each class, or a number."""
        assert np.isfinite(found).all()
        if self.data.task.name == "language-modelling":
            assert found.dtype == np.float64
            assert found.shape == (count, 4)
            assert (found >= 0).all()
            return
        if not self.classes:
            assert found.dtype == np.float64
            assert found.shape == (count,)
            return
        assert found.dtype == np.float32
        assert found.shape == (count, self.classes)
        assert (found >= 0).all()
        assert (found <= 1).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)

    @property
    def reads_items(self) -> bool:
        """Not so for what says the same of every item."""
        return bool(self.predictor.layers()[0].input) or modality_of(self.technique) == "text"


class Fits:
    """One fit of each way, made when it is first asked for, for the tests that look at it."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._made: dict[str, Fitted] = {}

    def __getitem__(self, way: tuple[Technique, Framework]) -> Fitted:
        technique, framework = way
        name = f"{technique.name}-{framework}"
        if name not in self._made:
            folder = self._factory.mktemp(name)
            attempt = Bench(technique, folder, framework).fit("cell")
            self._made[name] = Fitted(technique, folder, attempt)
        return self._made[name]


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> Fits:
    return Fits(tmp_path_factory)


@pytest.fixture
def fitted(way: tuple[Technique, Framework], fits: Fits) -> Fitted:
    return fits[way]


def curves(attempt: Attempt) -> list[dict[str, Any]]:
    """What was noted at each validation, but for the time it took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in attempt.run.rows]


def reordered(items: Items, order: NDArray[np.integer[Any]]) -> Items:
    return take_items(items, order.astype(np.intp))


def models_below(settings: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A settings class and every section inside it."""
    yield settings
    for field in settings.model_fields.values():
        value = field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel):
            yield from models_below(type(value))


def test_every_technique_of_the_folder_is_listed() -> None:
    """A file with a class that can fit is a technique; it is in the dictionary, by its own name."""
    homes = {home.split(":")[0].rpartition(".")[2] for home in TECHNIQUES.values()}
    fitting = {
        path.stem
        for path in MODULES.glob("*.py")
        if "    def fit(" in (text := path.read_text(encoding="utf-8"))
        and "name: ClassVar[str]" in text
    }
    assert homes == fitting
    assert set(TECHNIQUES) <= set(names())


def test_attributes(technique: Technique) -> None:
    assert TECHNIQUES[technique.name].split(":")[1] == type(technique).__name__
    assert isinstance(technique.version, int)
    assert technique.version >= 1
    assert issubclass(technique.settings, Settings)
    assert technique.tasks
    assert technique.tasks <= set(TASKS)
    assert technique.modalities
    assert technique.modalities <= set(get_args(Modality))
    assert set(frameworks_of(technique)) <= set(get_args(Framework))
    assert frameworks_of(technique)[0] == technique.framework
    assert isinstance(technique.seeded, bool)
    assert 10 <= len(technique.summary) <= 80
    assert not technique.summary.endswith(".")


def test_documented(technique: Technique) -> None:
    described = [type(technique), technique.fit, technique.load, technique.untrained]
    described += models_below(technique.settings)
    for entry in described:
        text = vars(entry).get("__doc__") if isinstance(entry, type) else entry.__doc__
        assert text, f"{entry} has no docstring of its own"


def test_settings_load_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from bakeoff.techniques import TECHNIQUES, find\n"
        "for name in TECHNIQUES: find(name).settings.parse({})\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'transformers', 'tensorflow', 'keras'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_defaults_and_round_trip(technique: Technique) -> None:
    recipe = parse_recipe({"technique": technique.name, "data": {"set": "digits"}})
    assert recipe.name == technique.name
    again = parse_recipe(recipe.resolved(), recipe.name)
    assert again == recipe
    assert again.resolved() == recipe.resolved()


def sections(model: type[Frozen]) -> Iterator[tuple[type[Frozen], str, Frozen]]:
    """Every section with a default, those inside sections included: its owner, name and default."""
    for name, info in model.model_fields.items():
        default = info.get_default(call_default_factory=True)
        if isinstance(default, Frozen) and not info.is_required():
            yield model, name, default
            yield from sections(type(default))


def test_what_a_section_does_not_say_is_as_where_there_is_none(technique: Technique) -> None:
    for owner, name, default in sections(technique.settings):
        if any(info.is_required() for info in type(default).model_fields.values()):
            continue
        said = {"name": plain(default)["name"]} if "name" in type(default).model_fields else {}
        needed = {n for n, info in owner.model_fields.items() if info.is_required()}
        if needed:
            kind: Any = owner.model_fields[name].annotation
            found = TypeAdapter(kind).validate_python(said)
        else:
            found = getattr(owner.parse({name: said}), name)
        assert found == default, f"{owner.__name__}.{name}"


def test_unknown_field(technique: Technique) -> None:
    content: dict[str, Any] = {"technique": technique.name, "data": {"set": "digits"}}
    fields = list(technique.settings.model_fields)
    wrong = f"{fields[0]}s" if fields else "model"
    with pytest.raises(InputError, match=rf"^control\.{wrong}: unknown field") as caught:
        parse_recipe({**content, wrong: {}}, where="control")
    for name in fields[:1]:
        assert f"did you mean '{name}'" in str(caught.value)


def test_misspelt_training_field(technique: Technique) -> None:
    if "training" not in technique.settings.model_fields:
        return
    content = {"technique": technique.name, "training": {"learning_rte": 1, "batchsize": 2}}
    with pytest.raises(InputError) as caught:
        parse_recipe({**content, "data": {"set": "digits"}})
    assert "training.learning_rte: unknown field; did you mean 'learning_rate'?" in str(
        caught.value
    )
    assert "training.batchsize: unknown field; did you mean 'batch_size'?" in str(caught.value)


def test_outputs(fitted: Fitted) -> None:
    for items in (fitted.items, reordered(fitted.items, np.arange(1))):
        fitted.check(fitted.predictor.predict(items), len(items))


def test_no_items(fitted: Fitted) -> None:
    fitted.check(fitted.predictor.predict(reordered(fitted.items, np.arange(0))), 0)


def test_extreme_items(fitted: Fitted) -> None:
    items = fitted.items
    extreme: Items
    if isinstance(items, np.ndarray):
        extreme = np.stack([np.zeros_like(items[0]), np.full_like(items[0], 255)])
        if items.ndim == 2:
            extreme = np.concatenate([extreme, -1e6 * extreme])
    else:
        extreme = ["", "word " * 2000, "\U0001f600", "never seen"]
    fitted.check(fitted.predictor.predict(extreme), len(extreme))


def test_texts_that_are_cut_are_counted(fitted: Fitted) -> None:
    """What does not read how a long text ends, and is no constant, says that it is cut."""
    items, predict = fitted.items, fitted.predictor.predict
    if isinstance(items, np.ndarray) or not fitted.classes:
        return
    long = [f"{items[0]} " * 500 + item for item in items]
    constant = len(np.unique(predict(items), axis=0)) == 1
    blind = len(np.unique(predict(long), axis=0)) == 1
    if isinstance(fitted.predictor, Cutting):
        assert blind
        assert fitted.predictor.cut_notes(items) == []
        (note,) = fitted.predictor.cut_notes([*items, long[0]])
        assert note.startswith(f"1 of {len(items) + 1} texts ")
    else:
        assert constant or not blind


def test_batches_and_order_change_no_bit(fitted: Fitted) -> None:
    items, predict = fitted.items, fitted.predictor.predict
    whole = predict(items)
    order = np.random.default_rng(1).permutation(len(items))
    assert same_bits(predict(reordered(items, order)), whole[order])
    for cuts in ([0, 1, 8, 31, 60], [0, 59, 60]):
        parts = [predict(reordered(items, np.arange(a, b))) for a, b in pairwise(cuts)]
        assert same_bits(np.concatenate(parts), whole)
    assert same_bits(predict(items), whole)


def test_saved_and_loaded(fitted: Fitted, tmp_path: Path) -> None:
    fitted.predictor.save(tmp_path)
    fresh = type(fitted.technique)()
    loaded = fresh.load(tmp_path)
    assert same_bits(loaded.predict(fitted.items), fitted.predictor.predict(fitted.items))
    assert loaded.layers() == fitted.predictor.layers()
    again = tmp_path / "again"
    again.mkdir()
    loaded.save(again)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert {"model.safetensors", "state.json"} <= set(files)
    assert files == {path.name: path.read_bytes() for path in again.iterdir() if path.is_file()}


def test_loaded_where_it_is_told(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU of a machine with a GPU: one that would fail here, where there is none."""
    fitted.predictor.save(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    loaded = type(fitted.technique)().load(tmp_path, "cpu")
    fitted.check(loaded.predict(fitted.items), len(fitted.items))


def test_loading_what_is_not_there(technique: Technique, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a saved predictor"):
        technique.load(tmp_path)
    (tmp_path / "state.json").write_text('{"technique": "another"}', encoding="utf-8")
    with pytest.raises(InputError, match="saved by the technique 'another'"):
        technique.load(tmp_path)


def test_training_data_stay_as_they_are(fitted: Fitted) -> None:
    fresh = Bench(fitted.technique, fitted.folder).data()
    names = fitted.data.task.classes
    for used, drawn in (
        (fitted.data.train, fresh.train),
        (fitted.data.validation, fresh.validation),
    ):
        assert examples_hash(used, names) == examples_hash(drawn, names)


def test_layers(fitted: Fitted) -> None:
    layers = fitted.predictor.layers()
    assert layers
    assert len({layer.name for layer in layers}) == len(layers)
    outputs = {(fitted.classes or 1,)}
    outputs |= {(1,)} if fitted.classes == 2 else set()  # one logit will do
    outputs |= {(257,)} if fitted.data.task.name == "language-modelling" else set()
    assert layers[-1].output[-1:] in outputs
    for layer in layers:
        assert layer.kind
        assert 0 <= layer.trained_parameters <= layer.parameters
        assert layer.macs >= 0
        held = sum(int(np.prod(shape)) for shape in layer.weights.values())
        assert layer.parameters == held, layer.name


def test_untrained_is_as_large_as_fitted(fitted: Fitted) -> None:
    technique, data = fitted.technique, fitted.data
    items = data.train.items
    shape = items.shape[1:] if isinstance(items, np.ndarray) else ()
    untrained = technique.untrained(settings_of(technique), shape, fitted.classes)

    def sizes(layer: LayerProfile) -> tuple[object, ...]:
        growing = per_example(layer) * len(data.train)
        return layer.name, layer.kind, layer.parameters + growing, layer.macs + growing

    assert [sizes(layer) for layer in untrained.layers()] == [
        sizes(layer) for layer in fitted.predictor.layers()
    ]


def test_wrong_items(fitted: Fitted) -> None:
    if not fitted.reads_items:
        return
    wrong: list[Any] = [["a text"]]
    if isinstance(fitted.items, np.ndarray) and fitted.items.ndim == 2:
        size = fitted.items.shape[1]
        wrong += [np.zeros((2, size + 1)), np.zeros(size), np.full((1, size), np.nan)]
        wrong.append(fitted.items.astype(np.float32))
    elif isinstance(fitted.items, np.ndarray):
        _, height, width, channels = fitted.items.shape
        for shape in ((2, height + 1, width, channels), (2, height, width, channels + 2), (2, 5)):
            wrong.append(np.zeros(shape, np.uint8))
        wrong.append(fitted.items.astype(np.float32))
    else:
        wrong = [np.zeros((2, 8, 8, 1), np.uint8)]
    for items in wrong:
        with pytest.raises(InputError, match=f"^{fitted.technique.name}: .*needed"):
            fitted.predictor.predict(items)


def test_same_seed_same_bits(bench: Bench, fitted: Fitted) -> None:
    """Whatever the state of the generators that everybody shares."""
    np.random.seed(12345)
    if bench.framework == "torch":
        import torch

        torch.manual_seed(12345)
    elif bench.framework == "keras":
        import keras

        keras.utils.set_random_seed(12345)
    again = bench.fit("again")
    items = fitted.items
    assert same_bits(again.predictor.predict(items), fitted.predictor.predict(items))
    assert curves(again) == curves(fitted.attempt)


def test_another_seed(bench: Bench, fitted: Fitted) -> None:
    other = bench.fit("other", seed=1).predictor.predict(fitted.items)
    same = same_bits(other, fitted.predictor.predict(fitted.items))
    assert same == (not bench.technique.seeded)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_interrupted_and_resumed(bench: Bench, fitted: Fitted, share: float) -> None:
    """Stopped at the first, a middle or the last moment, and gone on with: not a bit differs."""
    checks = fitted.attempt.checks
    if "training" in bench.technique.settings.model_fields:
        assert checks >= STEPS, "a loop asks after every update whether it should stop"
    if not checks:
        return
    with pytest.raises(Interrupted):
        bench.fit("cell", stop_at=1 + round(share * (checks - 1)))
    resumed = bench.fit("cell")
    items = fitted.items
    assert same_bits(resumed.predictor.predict(items), fitted.predictor.predict(items))
    assert curves(resumed) == curves(fitted.attempt)
    assert all(stop.bit_equal for stop in resumed.run.interruptions)


def test_finished_phases_are_read_back(bench: Bench) -> None:
    first = bench.fit("cell")
    second = bench.fit("cell")
    items = take_items(first.data.validation.items, np.arange(20))
    assert same_bits(second.predictor.predict(items), first.predictor.predict(items))
    assert second.run.train_seconds == first.run.train_seconds
    assert second.run.rows == first.run.rows


@pytest.mark.parametrize("task", sorted(TASKS))
def test_what_stands_in_for_a_diverged_cell_fits_every_task(task: str, tmp_path: Path) -> None:
    """Whatever is asked, a cell that diverged at once counts, and its predictor can be read."""
    stand_in = find("majority")
    kind: Modality = "numbers" if task == "regression" else "image"
    dataset = corpus(tmp_path) if task == "language-modelling" else dataset_of(kind, tmp_path)
    data = splits.draw(dataset, DataSettings(set="digits"), Streams(0)).training_data()
    assert data.task.name == task
    recipe = Recipe(
        name="any",
        technique=stand_in.name,
        data=DataSettings(set="digits"),
        numerics=resolved("numpy"),
        settings=settings_of(stand_in),
    )
    fitted = stand_in.fit(cell_of(recipe), data, {}, run_of(recipe, tmp_path / "cell"))
    held_out = data.validation
    outputs = fitted.predict(held_out.items)
    table = data.task.table(held_out.ids, held_out.labels, outputs, held_out.groups)
    scores = data.task.metrics(table)
    assert set(scores) == set(data.task.directions)
    assert np.isfinite(list(scores.values())).all()
    saved = tmp_path / "saved"
    saved.mkdir()
    fitted.save(saved)
    loaded = stand_in.load(saved)
    assert same_bits(loaded.predict(held_out.items), outputs)
    assert loaded.layers() == fitted.layers()
