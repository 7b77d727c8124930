"""What a search tries, and what of it is refused."""

from typing import Any

import pytest
from tests.study.tiny import QUICK, study

from bakeoff.core.errors import InputError
from bakeoff.study.resolve import declare

RATES = {"training.learning_rate": [0.1, 0.2]}
MLP = {"technique": "mlp", "training": {"epochs": 1}}


def test_every_recipe_is_tried_with_those_of_the_fields_that_it_has() -> None:
    grid = RATES | {"model.hidden": [[4], [8]]}
    planned = declare(study(variants={"softmax": QUICK, "mlp": MLP}, search={"grid": grid}))
    assert [len(p.tries) for p in planned] == [0, 2, 4]
    last = planned[2].tries[-1]
    assert last.values == {"training.learning_rate": 0.2, "model.hidden": [8]}
    settings: Any = last.recipe.settings
    assert (settings.training.learning_rate, settings.model.hidden) == (0.2, (8,))
    assert settings.training.epochs == 1


def test_a_number_that_yaml_reads_as_text_is_a_number() -> None:
    grid: dict[str, Any] = {"training.learning_rate": ["1e-1", 0.2]}
    tried = declare(study(variants={"softmax": QUICK}, search={"grid": grid}))[-1].tries
    assert [t.values["training.learning_rate"] for t in tried] == [0.1, 0.2]


def test_only_recipes_that_are_named_are_searched() -> None:
    given = study(
        variants={"softmax": QUICK | {"training": {"learning_rate": 0.3}}, "mlp": MLP},
        search={"grid": RATES, "of": ["mlp"]},
    )
    assert [len(p.tries) for p in declare(given)] == [0, 0, 2]


def test_each_level_of_a_factor_has_tries_of_its_own() -> None:
    given = study(search={"grid": RATES}, factors={"data.labels": [20, 50]})
    tried = {p.name: [t.name for t in p.tries] for p in declare(given) if p.tries}
    assert tried["softmax@labels=20"] == [
        "softmax@labels=20@learning_rate=0.1",
        "softmax@labels=20@learning_rate=0.2",
    ]
    assert len(tried) == 2


def test_trials_may_have_fewer_labels_and_never_more() -> None:
    search, levels = {"grid": RATES, "labels": 20}, {"data.labels": [20, 50]}
    planned = declare(study(search=search, factors=levels))
    tried = {p.name: {t.recipe.data.labels for t in p.tries} for p in planned if p.tries}
    assert tried == {"softmax@labels=20": {20}, "softmax@labels=50": {20}}
    assert {p.recipe.data.labels for p in planned} == {20, 50}
    with pytest.raises(InputError) as refusal:
        declare(study(search=search | {"labels": 21}, factors=levels))
    assert refusal.value.faults == (
        "search.labels: 21 received, but softmax@labels=20 learns from 20 examples (allowed: 1 to "
        "20)",
    )


def test_the_control_run_again_has_none() -> None:
    given = study(control=QUICK, variants={"again": {}}, search={"grid": RATES})
    assert [len(p.tries) for p in declare(given)] == [2, 0]


def test_a_try_can_need_another_recipe() -> None:
    encoder = {"technique": "contrastive", "training": {"epochs": 1}}
    probe = {"technique": "probe", "encoder": {"recipe": "one"}, "training": {"epochs": 1}}
    grid = {"encoder": [{"recipe": "one"}, {"recipe": "two"}]}
    variants = {"one": encoder, "two": encoder | {"vector": {"dimension": 8}}}
    probed = declare(study(control=probe, variants=variants, search={"grid": grid}))[-1]
    assert [list(t.inputs) for t in probed.tries] == [["one"], ["two"]]


def test_what_has_a_field_from_the_control_has_what_is_chosen_for_that() -> None:
    """Unless it is searched itself, says something of the field, or is of another technique."""
    variants: dict[str, Any] = {
        "plain": {"training.batch_size": 16},
        "own": {"training.learning_rate": 0.3},
        "section": {"training": {"epochs": 2}},
        "other": {"technique": "softmax"},
        "again": {},
    }
    search = {"grid": RATES, "of": ["softmax"]}
    planned = {p.name: p for p in declare(study(control=QUICK, variants=variants, search=search))}
    assert {name: len(p.along) for name, p in planned.items()} == {
        "softmax": 0,
        "plain": 2,
        "own": 0,
        "section": 0,
        "other": 0,
        "again": 2,
    }
    settings: Any = planned["plain"].along[1].recipe.settings
    assert (settings.training.learning_rate, settings.training.batch_size) == (0.2, 16)


def test_a_field_may_be_there_at_some_levels_alone() -> None:
    for kinds in (["lenet", "simple-cnn"], ["simple-cnn", "lenet"]):
        given = study(
            control={"technique": "cnn", "training": {"epochs": 1}},
            variants={},
            factors={"model.name": kinds},
            search={"grid": {"model.width": [4, 8]}},
        )
        assert sorted(len(p.tries) for p in declare(given)) == [0, 2]


def test_the_control_may_begin_with_a_value_that_is_tried() -> None:
    control: dict[str, Any] = {"technique": "softmax", "training": {"learning_rate": 0.2}}
    assert len(declare(study(control=control, variants={}, search={"grid": RATES}))[0].tries) == 2
    control["training"]["learning_rate"] = 0.7
    with pytest.raises(InputError, match=r"control\.training\.learning_rate: 0\.7 received"):
        declare(study(control=control, variants={}, search={"grid": RATES}))


def test_seeds_that_could_be_those_of_trials_are_refused() -> None:
    with pytest.raises(InputError, match=r"seeds: 2000000 received \(allowed with a search"):
        declare(study(seeds=[0, 2000000], search={"grid": RATES}))
    declare(study(seeds=[0, 2000000]))
    encoder = {"technique": "contrastive", "training": {"epochs": 1}}
    pinned = {"technique": "probe", "encoder": {"recipe": "one", "seed": 1000000}}
    variants = {"one": encoder, "probe": pinned}
    with pytest.raises(InputError, match="probe: refers to a recipe with seed 1000000"):
        declare(study(variants=variants, search={"grid": RATES}))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": (
        {"grid": {"training.learning_rat": [1, 2]}},
        "search.grid.training.learning_rat: no recipe that is searched has this field; did you "
        "mean 'training.learning_rate'?",
    ),
    "unknown recipe": (
        {"grid": RATES, "of": ["softmx"]},
        "search.of: unknown recipe 'softmx'; did you mean 'softmax'? (allowed: majority, softmax)",
    ),
    "recipe without": (
        {"grid": RATES, "of": ["majority", "softmax"]},
        "search.of: majority has none of the fields of search.grid",
    ),
    "nobody": (
        {"grid": RATES, "of": []},
        "search.of: names no recipe (left out, all that have a field are searched)",
    ),
    "field of another": (
        {"grid": {"training.batch_size": [8, 16], "training.epochs": [1, 2]}, "of": ["majority"]},
        "search.of: majority has none of the fields of search.grid",
    ),
    "twice": (
        {"grid": {"training.learning_rate": [0.1, "1e-1"]}},
        "search.grid: softmax@learning_rate=0.1 and softmax@learning_rate=1e-1 are tried with the "
        "same values",
    ),
    "bad value": (
        {"grid": {"training.learning_rate": [0.1, -1]}},
        "search.grid.training.learning_rate: input should be greater than 0 (received -1)",
    ),
    "set beside": (
        {"grid": {"training.epochs": [1, 2]}},
        "variants.softmax.training.epochs: is searched; leave it out, or softmax out of search.of",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_searched_is_refused(name: str) -> None:
    search, told = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        declare(study(search=search))
    assert told in refusal.value.faults


@pytest.mark.parametrize(
    ("search", "more", "told"),
    [
        ({"grid": {"training.learning_rate": [0.1]}}, {}, "two values or more to choose from"),
        ({"grid": {"data.labels": [20, 50]}}, {}, "data.labels: cannot be searched"),
        ({"grid": RATES}, {"resampling": {"folds": 2}, "metric": "fold/accuracy", "seeds": 1}, ""),
        ({"grid": RATES}, {"factors": RATES}, "is a factor, which sets it at every level"),
        ({"grid": RATES}, {"factors": {"training": [{}, {"epochs": 2}]}}, "training is a factor"),
        ({"grid": {"training": [{}, {"epochs": 2}]}}, {"factors": RATES}, "learning_rate is a fa"),
        ({"grid": RATES, "seeds": 0}, {}, "greater than or equal to 1"),
    ],
)
def test_what_no_study_can_search_is_refused(
    search: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match="search") as refusal:
        study(search=search, **more)
    assert told in str(refusal.value)


def test_a_study_of_some_variants_searches_these_alone() -> None:
    given = study(
        variants={"softmax": QUICK, "mlp": MLP}, search={"grid": RATES, "of": ["softmax", "mlp"]}
    )
    only = given.only(["mlp"]).search
    assert only is not None
    assert only.of == ("mlp",)
    assert given.only(["majority"]).search is None
    wide = study(
        variants={"softmax": QUICK, "mlp": MLP}, search={"grid": RATES | {"model.hidden": [[4]]}}
    )
    only = wide.only(["softmax"]).search
    assert only is not None
    assert only.grid == RATES
    every = study(variants={"softmax": QUICK, "again": {}}, search={"grid": RATES})
    assert every.only(["softmax"]).search == every.search
    assert every.only(["again"]).search is None
