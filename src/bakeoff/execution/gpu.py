"""Memory and utilisation of this process on a CUDA device, where there is one."""

import os
import sys
import threading
from typing import Any


class GpuMeter:
    """Peak bytes torch allocated, and the share of time this process kept the device busy.

    Utilisation needs the extra `cuda` (NVML); without it, it is None.
    """

    peak_bytes: int | None = None
    utilisation: float | None = None

    def start(self) -> None:
        """Start measuring, if torch is loaded and has a device."""
        torch = sys.modules.get("torch")
        self._cuda: Any = torch.cuda if torch is not None and torch.cuda.is_available() else None
        if self._cuda is None:
            return
        self._cuda.reset_peak_memory_stats()
        self._samples: list[int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and fill in the two figures."""
        if self._cuda is None:
            return
        self._done.set()
        self._thread.join()
        self.peak_bytes = int(self._cuda.max_memory_allocated())
        if self._samples:
            self.utilisation = sum(self._samples) / len(self._samples) / 100

    def _watch(self) -> None:
        try:
            import pynvml
        except ImportError:
            return
        try:
            pynvml.nvmlInit()
            device = pynvml.nvmlDeviceGetHandleByIndex(self._cuda.current_device())
            seen = 0
            while not self._done.wait(0.5):
                try:
                    samples = pynvml.nvmlDeviceGetProcessUtilization(device, seen)
                except pynvml.NVMLError_NotFound:  # nothing ran since the last look
                    self._samples.append(0)
                    continue
                own = [s for s in samples if s.pid == os.getpid()]
                self._samples.append(max((s.smUtil for s in own), default=0))
                seen = max(s.timeStamp for s in samples)
            pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            return
