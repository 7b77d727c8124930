"""Signals: asked to stop, a run goes on to its next checkpoint and ends there."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bakeoff.core.errors import Interrupted

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interruptions:
    """Remembers the first stopping signal; the second one ends the process at once."""

    received: int | None = None

    def check(self) -> None:
        """Raise where a signal has come.

        Raises:
            Interrupted: with the signal's number.
        """
        if self.received is not None:
            raise Interrupted(self.received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.received = number


@contextmanager
def interruptions() -> Iterator[Interruptions]:
    """Watch for signals meanwhile (in the main thread; elsewhere Python does not allow it)."""
    watch = Interruptions()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = {number: signal.signal(number, watch._note) for number in STOPPING}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
