"""Techniques by name: ours, and those of installed plug-ins.

A plug-in offers a class that keeps the `Technique` protocol under the entry-point group
`bakeoff.techniques`.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from bakeoff.core.errors import unknown
from bakeoff.core.protocols import Technique
from bakeoff.core.recipe import Framework, Recipe

TECHNIQUES = {
    "bag-of-words": "bakeoff.techniques.bag_of_words:BagOfWords",
    "cnn": "bakeoff.techniques.cnn:Cnn",
    "contrastive": "bakeoff.techniques.contrastive:Contrastive",
    "distill": "bakeoff.techniques.distill:Distill",
    "fine-tune": "bakeoff.techniques.fine_tune:FineTune",
    "knn": "bakeoff.techniques.knn:Knn",
    "language-model": "bakeoff.techniques.language_model:LanguageModel",
    "lms": "bakeoff.techniques.lms:Lms",
    "logistic": "bakeoff.techniques.logistic:Logistic",
    "lora": "bakeoff.techniques.fine_tune:Lora",
    "lstm": "bakeoff.techniques.lstm:Lstm",
    "majority": "bakeoff.techniques.majority:Majority",
    "mlp": "bakeoff.techniques.mlp:Mlp",
    "pretrained": "bakeoff.techniques.pretrained:Pretrained",
    "probe": "bakeoff.techniques.probe:Probe",
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


def framework_of(recipe: Recipe) -> Framework:
    """What a recipe computes in: its field `framework`, or its technique's only one."""
    return getattr(recipe.settings, "framework", None) or find(recipe.technique).framework


def frameworks_of(technique: Technique) -> tuple[Framework, ...]:
    """All that a technique can compute in; what its default recipe computes in comes first."""
    field = technique.settings.model_fields.get("framework")
    others = get_args(field.annotation) if field is not None else ()
    return tuple(dict.fromkeys((technique.framework, *others)))


@cache
def _plugins() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group="bakeoff.techniques"))
