"""What techniques say of their settings on a study's training data, before anything runs."""

from bakeoff.core.protocols import Noted
from bakeoff.study.prepare import Ready
from bakeoff.techniques import find


def notes(ready: Ready) -> dict[str, tuple[str, ...]]:
    """Short sentences by recipe: a rate beside the bound that the data set it, for instance.

    They are about the training examples of the study's first seed, or that seed's first fold; no
    test data are read.
    """
    first = ready.replicates(ready.looks.seeds)[0]
    found: dict[str, tuple[str, ...]] = {}
    for planned in ready.planned:
        technique, recipe = find(planned.recipe.technique), planned.recipe
        if isinstance(technique, Noted):
            data = ready.split(recipe.data, planned.drawn(first)).training_data()
            found[planned.name] = technique.notes(recipe.settings, data)
    return {name: said for name, said in found.items() if said}
