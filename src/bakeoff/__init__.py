"""Which technique is worth its cost on your data? Paired comparisons that end in a verdict."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakeoff.core.errors import BakeoffError, InputError
    from bakeoff.study.predict import load_fitted, predict
    from bakeoff.study.score import score
    from bakeoff.study.study import Study, load_study
    from bakeoff.study.submission import submission

__version__ = "0.1.0"
__all__ = [
    "BakeoffError",
    "InputError",
    "Study",
    "load_fitted",
    "load_study",
    "predict",
    "score",
    "submission",
]

_HOMES = {
    "BakeoffError": "bakeoff.core.errors",
    "InputError": "bakeoff.core.errors",
    "Study": "bakeoff.study.study",
    "load_fitted": "bakeoff.study.predict",
    "load_study": "bakeoff.study.study",
    "predict": "bakeoff.study.predict",
    "score": "bakeoff.study.score",
    "submission": "bakeoff.study.submission",
}


def __getattr__(name: str) -> Any:
    """Public names, imported when they are first used: `import bakeoff` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bakeoff' has no attribute '{name}'")
