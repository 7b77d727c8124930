"""What a piece of work costs: peak memory, and whether the machine was ours alone."""

import gc
import threading
import time
from types import TracebackType
from typing import Self

import psutil

from bakeoff.core.record import LEAST_SECONDS
from bakeoff.execution import allocator
from bakeoff.execution.gpu import GpuMeter

ALONE_CORES = 0.25
"""Other processes may keep at most this many cores busy for seconds to count as a price."""
NOT_BUSY = ("idle", "iowait", "guest", "guest_nice")
"""The last two are counted among `user` and `nice` already."""


class Company:
    """Who else is busy, from now on."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._wall, self._busy, self._own = time.perf_counter(), _busy(), _cpu(self._process)

    def alone(self) -> bool:
        """Whether the machine was ours since then."""
        return self.cores() < ALONE_CORES

    def cores(self, least_seconds: float = LEAST_SECONDS) -> float:
        """How many cores others kept busy since then; 0 where that was too short to tell.

        Args:
            least_seconds: Too short is less. The system counts in hundredths of a second.
        """
        wall = time.perf_counter() - self._wall
        if wall < least_seconds:
            return 0.0
        return max(0.0, (_busy() - self._busy) - (_cpu(self._process) - self._own)) / wall


class Meter:
    """Measures the process between `with` and its end.

    `peak_bytes` is the highest resident size meanwhile, less what the process held at the start:
    what the work itself needed. On Linux the kernel's own high-water mark is reset and read; on
    other systems the size is sampled 50 times a second.
    """

    peak_bytes = 0
    gpu_peak_bytes: int | None = None
    gpu_utilisation: float | None = None
    alone = True

    def __enter__(self) -> Self:
        """Start measuring."""
        gc.collect()
        allocator.give_back()
        process = psutil.Process()
        self._sampler = None if _reset_peak() else _Sampler(process)
        self._bytes = process.memory_info().rss
        self._gpu = GpuMeter()
        self._gpu.start()
        self._company = Company()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop measuring."""
        peak = self._sampler.stop() if self._sampler else _peak()
        self.peak_bytes = max(0, peak - self._bytes)
        self.alone = self._company.alone()
        self._gpu.stop()
        self.gpu_peak_bytes, self.gpu_utilisation = self._gpu.peak_bytes, self._gpu.utilisation


class _Sampler:
    """The highest resident size, sampled."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._peak, self._done = process, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return max(self._peak, self._process.memory_info().rss)


def _cpu(process: psutil.Process) -> float:
    """Seconds of cores that a process used, and those of its children that have ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _busy() -> float:
    """Seconds all cores together were busy since the system started."""
    times = psutil.cpu_times()._asdict()
    return float(sum(s for name, s in times.items() if name not in NOT_BUSY))


def _reset_peak() -> bool:
    """Reset the kernel's high-water mark of this process; whether that was possible."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="utf-8") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def _peak() -> int:
    with open("/proc/self/status", encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
