"""Notes on recipes before anything runs."""

from bakeoff.core.cell import Replicate
from bakeoff.core.protocols import Noted
from bakeoff.study.notes import notes
from bakeoff.study.prepare import prepare
from bakeoff.study.study import load_study
from bakeoff.techniques import find


def test_rates_stand_beside_their_bounds() -> None:
    found = notes(prepare(load_study("lms-vs-wiener")))
    assert set(found) == {
        *("lms-0.005", "lms-0.01", "lms-0.05", "lms-0.1", "lms-0.5", "lms-1", "nlms")
    }
    assert "settles" in found["lms-0.005"][0]
    assert found["lms-0.5"][0].endswith("diverges")
    assert found["lms-1"][0].endswith("diverges")


def test_other_techniques_say_nothing() -> None:
    assert notes(prepare(load_study("digits-first"))) == {}


def test_they_are_about_what_the_first_fold_leaves_to_learn_from() -> None:
    folded = {"resampling": {"folds": 4}, "metric": "fold/mean_squared_error", "seeds": 1}
    given = load_study("lms-vs-wiener", folded)
    ready = prepare(given)
    planned = next(p for p in ready.planned if p.name == "lms-0.01")
    technique, recipe = find(planned.recipe.technique), planned.recipe
    assert isinstance(technique, Noted)

    def said(replicate: Replicate) -> tuple[str, ...]:
        data = ready.split(recipe.data, replicate).training_data()
        return technique.notes(recipe.settings, data)

    first, whole = Replicate(seed=0, fold=0), Replicate(seed=0)
    assert said(first) != said(whole)
    assert notes(ready)["lms-0.01"] == said(first)
