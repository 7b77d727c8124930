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
    """Watch for signals meanwhile (in the main thread; elsewhere Python does not allow it).

    A signal that the process was started to ignore, as by `nohup`, stays ignored.
    """
    watch = Interruptions()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    before = {n: handler for n, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, watch._note)
    try:
        yield watch
    finally:
        for number, handler in before.items():  # None: set by other than Python, and lost
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
