"""What watches a loop. Observers get finished rows and cannot alter state."""

from typing import Any, Protocol


class Observer(Protocol):
    """Receives what the loop has done so far, never inside a step."""

    def begin(self, phase: str, steps: int, done: int) -> None:
        """A phase of `steps` updates starts or goes on after `done` of them."""
        ...

    def progress(self, step: int, sums: dict[str, float]) -> None:
        """At most a few times a second: the updates done, and sums since the last validation."""
        ...

    def row(self, row: dict[str, Any]) -> None:
        """A validation is finished."""
        ...

    def end(self) -> None:
        """The phase is over."""
        ...


class Silent:
    """Watches nothing."""

    def begin(self, phase: str, steps: int, done: int) -> None:
        """Nothing."""

    def progress(self, step: int, sums: dict[str, float]) -> None:
        """Nothing."""

    def row(self, row: dict[str, Any]) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
