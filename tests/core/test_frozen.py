"""Refusals: every fault at once, with its whole path, the nearest names and what is allowed."""

from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, ValidationError, field_validator

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen, flatten, later, plain
from bakeoff.core.recipe import DatasetReference, DataSettings, Ref
from bakeoff.training.settings import TrainingSettings


class Small(Frozen):
    name: Literal["small"] = "small"
    width: int = 8


class Deep(Frozen):
    name: Literal["deep"] = "deep"
    depth: Annotated[int, Field(ge=1)] = 3
    shortcut: Literal["identity", "projection"] = "identity"


Named = Annotated[Small | Deep, Field(discriminator="name")]


class Whole(Frozen):
    model: Named = Small()
    spare: Small | None = None
    stages: tuple[Small, ...] = ()
    mixed: list[Named] = []
    by_name: dict[str, Small] = {}
    rate: float | Ref = 0.1
    data: DatasetReference = "digits"
    version: int = Field(default=1, alias="schema")

    @field_validator("rate")
    @classmethod
    def _positive(cls, rate: Any) -> Any:
        if isinstance(rate, float) and rate <= 0:
            raise ValueError("Must be positive")
        return rate


def faults(kind: type[Frozen], value: object, where: str = "") -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        kind.parse(value, where)
    return caught.value.faults


def test_values_are_frozen() -> None:
    value = Small()
    with pytest.raises(ValidationError):
        value.width = 9
    assert value == Small(width=8)
    assert hash(value) == hash(Small())


def test_every_fault_is_told_at_once() -> None:
    wrong = {"epochs": 0, "optimizer": "adm", "larning_rate": 1, "stopping": {"rule": "patient"}}
    assert faults(TrainingSettings, wrong, "control.training") == (
        "control.training.epochs: input should be greater than or equal to 1 (received 0)",
        "control.training.stopping.rule: input should be 'first-degradation', 'no-change', "
        "'absolute-change', 'average-change', 'patience' or 'last-25'; did you mean 'patience'? "
        "(received 'patient')",
        "control.training.optimizer: input should be 'sgd', 'momentum', 'nesterov', 'rmsprop', "
        "'adam', 'adamw' or 'muon'; did you mean 'adam'? (received 'adm')",
        "control.training.larning_rate: unknown field; did you mean 'learning_rate'? (allowed: "
        "accumulate, averaging, batch_size, checkpoint_seconds, clip, decay, epochs, iterations, "
        "l1, l2, label_smoothing, learning_rate, lookahead, max_norm, momentum, optimizer, "
        "other_learning_rate, restore_best, sampling, schedule, select, stopping, validate_every, "
        "warmup)",
    )


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        # One mistake, one line: of the member that was meant, not of all that were not.
        (
            {"set": {"foldr": "x"}},
            "data.set.foldr: unknown field; did you mean 'folder'? "
            "(allowed: channels, folder, size)",
        ),
        (
            {"set": {"table": "a.csv", "txt": "review"}},
            "data.set.txt: unknown field; did you mean 'text'? "
            "(allowed: group, id, inputs, label, split, table, target, text)",
        ),
        (
            {"set": {"folder": "x", "size": 2}},
            "data.set.size: input should be greater than or equal to 4 (received 2)",
        ),
        (
            {"set": {"folder": "x", "channels": "gray"}},
            "data.set.channels: input should be 'auto', 'grey' or 'rgb'; did you mean 'grey'? "
            "(received 'gray')",
        ),
        (
            {"set": 3},
            "data.set: input should be a valid string, or a mapping with channels, folder, size, "
            "or a mapping with group, id, inputs, label, split, table, target, text, "
            "or a mapping with configuration, group, hub, label, revision, test, text, train, "
            "validation, "
            "or a mapping with corpus, words (received 3)",
        ),
        (
            {"set": {}},
            "data.set: input should be a valid string, or a mapping with channels, folder, size, "
            "or a mapping with group, id, inputs, label, split, table, target, text, "
            "or a mapping with configuration, group, hub, label, revision, test, text, train, "
            "validation, "
            "or a mapping with corpus, words (received {})",
        ),
        (
            {"set": "digits", "labels": "al"},
            "data.labels: input should be a valid integer, unable to parse string as an integer, "
            "or 'all'; did you mean 'all'? (received 'al')",
        ),
        (
            {"set": "digits", "labels": 0},
            "data.labels: input should be greater than or equal to 1, or 'all' (received 0)",
        ),
        (
            {"set": "digits", "classes": "cat"},
            "data.classes: input should be a list (received 'cat')",
        ),
        ({}, "data.set: this field is required"),
    ],
)
def test_unions_are_told_in_one_line(value: dict[str, Any], fault: str) -> None:
    assert faults(DataSettings, value, "data") == (fault,)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"model": {"name": "dep"}}, "model.name: input should be 'small' or 'deep'; did you mean "
         "'deep'? (received 'dep')"),
        ({"model": {}}, "model.name: input should be 'small' or 'deep'"),
        ({"model": 3}, "model: input should be a mapping with name, width or a mapping with depth, "
         "name, shortcut (received 3)"),
        ({"model": {"name": "deep", "groups": 3}},
         "model.groups: unknown field (allowed: depth, name, shortcut)"),
        ({"model": {"name": "deep", "shortcut": "projecton"}}, "model.shortcut: input should be "
         "'identity' or 'projection'; did you mean 'projection'? (received 'projecton')"),
        ({"spare": {"widht": 3}},
         "spare.widht: unknown field; did you mean 'width'? (allowed: name, width)"),
        ({"stages": [{}, {"width": "x"}]}, "stages.1.width: input should be a valid integer, "
         "unable to parse string as an integer (received 'x')"),
        ({"mixed": [{"name": "deep", "depth": 0}]},
         "mixed.0.depth: input should be greater than or equal to 1 (received 0)"),
        ({"by_name": {"first": {"wdth": 1}}},
         "by_name.first.wdth: unknown field; did you mean 'width'? (allowed: name, width)"),
        ({"by_name": [1]}, "by_name: input should be a mapping (received [1])"),
        ({"rate": {"recipee": "big"}},
         "rate.recipee: unknown field; did you mean 'recipe'? (allowed: recipe, seed)"),
        ({"rate": {"recipe": "big", "seed": -1}},
         "rate.seed: input should be greater than or equal to 0 (received -1)"),
        ({"rate": -1.0}, "rate: must be positive (received -1.0)"),
        ({"rate": float("nan")}, "rate: input should be a finite number, or a mapping with recipe, "
         "seed (received nan)"),
        ({"shema": 2}, "shema: unknown field; did you mean 'schema'? (allowed: by_name, data, "
         "mixed, model, rate, schema, spare, stages)"),
        ([1], "input should be a mapping with by_name, data, mixed, model, rate, schema, spare, "
         "stages (received [1])"),
    ],
)  # fmt: skip
def test_faults_inside_models_lists_and_mappings(value: object, fault: str) -> None:
    assert faults(Whole, value) == (fault,)


def test_a_fault_of_the_whole_stands_without_a_field() -> None:
    both = {"epochs": 1, "iterations": 2}
    assert faults(TrainingSettings, both, "training") == (
        "training: give either epochs or iterations (received {'epochs': 1, 'iterations': 2})",
    )
    assert faults(TrainingSettings, {})[0].startswith("give either epochs or iterations")


def test_what_was_received_is_cut_to_a_readable_length() -> None:
    (fault,) = faults(Small, {"width": "9" * 500 + "x"})
    assert len(fault) < 200
    assert fault.endswith("...)")


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    # PyYAML takes 1e-3, without a point, for text.
    content = yaml.safe_load("{epochs: 2, learning_rate: 1e-3}")
    assert TrainingSettings.parse(content).learning_rate == 1e-3


def test_plain_data_reads_back_as_the_same_value() -> None:
    value = Whole(model=Deep(depth=5), rate=Ref(recipe="big"), stages=(Small(), Small(width=1)))
    assert Whole.parse({k: v for k, v in plain(value).items() if k != "version"}) == value


def test_flatten() -> None:
    nested = {"a": {"b": {"c": 1}, "d": []}, "e": {}, "f": {1: None}}
    assert flatten(nested) == {"a.b.c": 1, "a.d": [], "e": {}, "f.1": None}
    assert flatten({"b": 1}, "a") == {"a.b": 1}


class Grown(Frozen):
    """With fields that came when others had been recorded."""

    old: int = 1
    new: float = later(0.0)
    section: Ref | None = later(None)


def test_fields_that_came_later_are_left_out_where_they_have_their_default() -> None:
    assert plain(Grown()) == {"old": 1}
    assert plain(Grown(new=0)) == {"old": 1}
    used = Grown(new=0.5, section=Ref(recipe="a"))
    assert plain(used) == {"old": 1, "new": 0.5, "section": {"recipe": "a", "seed": None}}
    for value in (Grown(), used):
        assert Grown.parse(plain(value)) == value
