"""The observer that watches nothing keeps the protocol; what others may see is in test_loop."""

import inspect

from bakeoff.training.observers import Observer, Silent


def test_the_silent_one_keeps_the_protocol() -> None:
    observer: Observer = Silent()
    observer.begin("train", 10, 0)
    observer.progress(1, {"loss": 1.0})
    observer.row({"step": 1})
    observer.end()
    assert vars(observer) == {}


def test_both_have_the_same_methods() -> None:
    def methods(of: type) -> dict[str, inspect.Signature]:
        functions = inspect.getmembers(of, inspect.isfunction)
        return {n: inspect.signature(f) for n, f in functions if not n.startswith("_")}

    assert methods(Silent) == methods(Observer)
