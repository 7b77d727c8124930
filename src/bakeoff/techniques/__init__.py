"""Techniques by name: ours, and those of installed plug-ins.

A plug-in offers a class that keeps the `Technique` protocol under the entry-point group
`bakeoff.techniques`.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from bakeoff.core.errors import unknown
from bakeoff.core.protocols import Technique

TECHNIQUES = {
    "cnn": "bakeoff.techniques.cnn:Cnn",
    "knn": "bakeoff.techniques.knn:Knn",
    "lms": "bakeoff.techniques.lms:Lms",
    "logistic": "bakeoff.techniques.logistic:Logistic",
    "majority": "bakeoff.techniques.majority:Majority",
    "mlp": "bakeoff.techniques.mlp:Mlp",
    "scratch-cnn": "bakeoff.techniques.scratch_cnn:ScratchCnn",
    "softmax": "bakeoff.techniques.softmax:Softmax",
}


def names() -> list[str]:
    """Every technique's name, sorted."""
    return sorted({*TECHNIQUES, *(point.name for point in _plugins())})


@cache
def find(name: str) -> Technique:
    """The technique of that name.

    Raises:
        InputError: where there is none, with the nearest name.
    """
    if name in TECHNIQUES:
        module, attribute = TECHNIQUES[name].split(":")
        technique: Technique = getattr(import_module(module), attribute)()
        return technique
    for point in _plugins():
        if point.name == name:
            loaded: Technique = point.load()()
            return loaded
    raise unknown("technique", name, names())


@cache
def _plugins() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group="bakeoff.techniques"))
