"""Threads over a batch: every thread takes some images through a whole pass.

Threads that meet after every matrix product lose more by waiting for each other than they win; the
more so where two libraries (BLAS and OpenMP) each keep threads that wait for work by spinning. So
a pass is cut once, and each part computes with one thread: its unrolled windows then stay in its
own core's cache, too.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SetThreads = Callable[[int], None]
"""Bounds the threads of a library, for the whole process."""
Work = Callable[[int, slice], None]
"""Works on a slice of a batch with the memory of that number."""


class Team:
    """Threads that work on parts of a batch at the same time.

    Args:
        number: Of threads; 1 works in the caller's.
        limits: Called with 1 before the parts begin and with `number` behind them: the libraries
            that would otherwise spread every part over threads of their own.
    """

    def __init__(self, number: int = 1, limits: tuple[SetThreads, ...] = ()) -> None:
        self.number, self._limits = number, limits
        self._lock = threading.Lock()
        self._others = ThreadPoolExecutor(number - 1, "kernels") if number > 1 else None

    def split(self, count: int, work: Work) -> int:
        """Call `work` with consecutive slices of `count` examples, numbered from 0.

        Returns:
            How many slices there were; they depend on `count` and `number` alone.
        """
        parts = max(1, min(self.number, count))
        slices = [slice(count * i // parts, count * (i + 1) // parts) for i in range(parts)]
        if self._others is None or parts == 1:
            work(0, slice(0, count))
            return 1
        state = np.geterr()  # how floating-point faults are treated is a thread's own

        def elsewhere(number: int) -> None:
            with np.errstate(**state):
                work(number, slices[number])

        with self._lock:
            self._limit(1)
            try:
                futures = [self._others.submit(elsewhere, i) for i in range(1, parts)]
                try:
                    work(0, slices[0])
                finally:
                    failures = [future.exception() for future in futures]
            finally:
                self._limit(self.number)
        for failure in failures:
            if failure is not None:
                raise failure
        return parts

    def _limit(self, threads: int) -> None:
        for limit in self._limits:
            limit(threads)
