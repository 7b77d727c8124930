"""A recipe with its place in a study."""

from tests.study.tiny import QUICK, study

from bakeoff.core.cell import Replicate
from bakeoff.study.planned import AGAIN_SEEDS
from bakeoff.study.resolve import declare


def test_the_control_run_again_draws_other_seeds() -> None:
    control, again = declare(study(control=QUICK, variants={"again": {}}))
    assert (control.seed_offset, again.seed_offset) == (0, AGAIN_SEEDS)
    assert control.drawn(Replicate(seed=3)) == Replicate(seed=3)
    assert again.drawn(Replicate(seed=3)) == Replicate(seed=AGAIN_SEEDS + 3)


def test_a_recipe_that_is_searched_holds_its_tries() -> None:
    grid = {"training.learning_rate": [0.1, 0.2]}
    majority, softmax = declare(study(search={"grid": grid}))
    assert majority.whole == (majority,)
    assert softmax.whole == (softmax, *softmax.tries)
    assert softmax.name == "softmax"
    assert [t.name for t in softmax.tries] == [
        "softmax@learning_rate=0.1",
        "softmax@learning_rate=0.2",
    ]
    assert softmax.values == {}
