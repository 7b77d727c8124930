"""Which recipe settings read vectors of."""

from bakeoff.core.checking import vectors_from
from bakeoff.techniques import find


def test_the_recipe_whose_vectors_are_read_is_no_teacher() -> None:
    settings = find("probe").settings
    teacher = {"training": {"teacher": {"recipe": "wide"}}}
    assert vectors_from(settings.parse({"encoder": {"recipe": "triplet"}, **teacher})) == "triplet"
    assert vectors_from(settings.parse(teacher)) is None
    assert vectors_from(find("majority").settings.parse({})) is None
