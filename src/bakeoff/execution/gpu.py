"""Memory and utilisation of this process on a CUDA device, where there is one."""

import os
import sys
import threading
from typing import Any

SAMPLE_SECONDS = 0.5


class GpuMeter:
    """Peak bytes torch allocated, and the share of time this process kept the device busy.

    Utilisation needs the extra `cuda` (NVML). Without it, and where NVML does not know this process
    (another process namespace, a device in parts), it is None.
    """

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self.utilisation: float | None = None
        self._samples: list[int] = []
        self._known = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._cuda: Any = None

    def start(self) -> None:
        """Start measuring, if torch is loaded and has a device."""
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available():
            return
        self._cuda = torch.cuda
        if self._cuda.is_initialized():  # what does not run on it must not wake it
            self._cuda.reset_peak_memory_stats()
        self._thread.start()

    def stop(self) -> None:
        """Stop, and fill in the two figures."""
        if self._cuda is None:
            return
        self._done.set()
        self._thread.join()
        if self._cuda.is_initialized():
            self.peak_bytes = int(self._cuda.max_memory_allocated())
        if self._known:
            self.utilisation = sum(self._samples) / len(self._samples) / 100

    def _watch(self) -> None:
        try:
            import pynvml
        except ImportError:
            return
        try:
            pynvml.nvmlInit()
            try:
                self._sample(pynvml)
            finally:
                pynvml.nvmlShutdown()
        except pynvml.NVMLError:  # no right to ask, or a device that does not tell
            return

    def _sample(self, nvml: Any) -> None:
        device, seen = None, 0
        while not self._done.wait(SAMPLE_SECONDS):
            if not self._cuda.is_initialized():
                continue
            if device is None:
                # By its name: numbers count the devices this process may see, NVML's count all.
                identity = self._cuda.get_device_properties(self._cuda.current_device()).uuid
                device = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{identity}".encode())
            try:
                samples = nvml.nvmlDeviceGetProcessUtilization(device, seen)
            except nvml.NVMLError_NotFound:  # nothing ran since the last look
                samples = []
            own = [sample.smUtil for sample in samples if sample.pid == os.getpid()]
            self._known = self._known or bool(own)
            self._samples.append(max(own, default=0))
            seen = max((sample.timeStamp for sample in samples), default=seen)
