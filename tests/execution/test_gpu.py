"""The GPU's meter against stand-ins for torch and NVML, so that every machine runs it."""

import os
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from bakeoff.execution import gpu
from bakeoff.execution.gpu import GpuMeter


class Cuda:
    """What is asked of `torch.cuda`."""

    def __init__(self, available: bool = True, awake: bool = True) -> None:
        self.available, self.awake, self.resets = available, awake, 0

    def is_available(self) -> bool:
        return self.available

    def is_initialized(self) -> bool:
        return self.awake

    def reset_peak_memory_stats(self) -> None:
        assert self.awake, "this would wake the device"
        self.resets += 1

    def max_memory_allocated(self) -> int:
        return 123

    def current_device(self) -> int:
        assert self.awake, "this would wake the device"
        return 1

    def get_device_properties(self, number: int) -> Any:
        return SimpleNamespace(uuid=f"uuid of device {number}")


class NVMLError(Exception):
    pass


class NVMLError_NotFound(NVMLError):
    pass


class Nvml:
    """What is asked of `pynvml`; `shares` of this process, None where nothing ran."""

    NVMLError, NVMLError_NotFound = NVMLError, NVMLError_NotFound

    def __init__(self, shares: list[int | None], own: bool = True) -> None:
        self.shares, self.own, self.asked, self.calls = shares, own, [], []

    asked: list[tuple[Any, int]]
    calls: list[str]

    def nvmlInit(self) -> None:
        self.calls.append("init")

    def nvmlShutdown(self) -> None:
        self.calls.append("shutdown")

    def nvmlDeviceGetHandleByUUID(self, identity: bytes) -> str:
        return identity.decode()

    def nvmlDeviceGetProcessUtilization(self, device: str, seen: int) -> list[Any]:
        if len(self.asked) >= len(self.shares):
            raise NVMLError_NotFound
        share = self.shares[len(self.asked)]
        self.asked.append((device, seen))
        if share is None:
            raise NVMLError_NotFound
        at = 1000 * len(self.asked)
        other = SimpleNamespace(pid=os.getpid() + 1, smUtil=99, timeStamp=at + 1)
        if not self.own:
            return [other]
        return [SimpleNamespace(pid=os.getpid(), smUtil=share, timeStamp=at), other]


def metered(
    monkeypatch: pytest.MonkeyPatch, cuda: Cuda | None, nvml: Any, seconds: float = 0.0
) -> GpuMeter:
    monkeypatch.setattr(gpu, "SAMPLE_SECONDS", 0.002)
    monkeypatch.setitem(sys.modules, "torch", cuda and SimpleNamespace(cuda=cuda))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    meter = GpuMeter()
    meter.start()
    until = time.perf_counter() + 10
    while nvml is not None and len(nvml.asked) < len(nvml.shares) and time.perf_counter() < until:
        time.sleep(0.002)
    time.sleep(seconds)
    meter.stop()
    return meter


@pytest.mark.parametrize("cuda", [None, Cuda(available=False)])
def test_without_torch_or_device_there_is_nothing_to_tell(
    cuda: Cuda | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = metered(monkeypatch, cuda, None)
    assert (meter.peak_bytes, meter.utilisation) == (None, None)


def test_the_peak_is_that_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda()
    meter = metered(monkeypatch, cuda, None)
    assert (cuda.resets, meter.peak_bytes, meter.utilisation) == (1, 123, None)


def test_a_device_that_nobody_uses_is_not_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = metered(monkeypatch, Cuda(awake=False), Nvml([]), seconds=0.03)
    assert (meter.peak_bytes, meter.utilisation) == (None, None)


def test_a_device_woken_meanwhile_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(awake=False)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    meter = GpuMeter()
    meter.start()
    cuda.awake = True
    meter.stop()
    assert meter.peak_bytes == 123


def test_utilisation_is_the_mean_share_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml([80, None, 40])
    meter = metered(monkeypatch, Cuda(), nvml)
    assert meter.utilisation is not None
    # More looks, at which nothing had run, may follow the three.
    assert 0 < meter.utilisation <= (0.8 + 0 + 0.4) / 3 + 1e-9
    device = "GPU-uuid of device 1"
    assert nvml.asked == [(device, 0), (device, 1001), (device, 1001)]
    assert nvml.calls == ["init", "shutdown"]


def test_another_process_is_not_taken_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container NVML may tell other process numbers: then nothing is known, not 0."""
    meter = metered(monkeypatch, Cuda(), Nvml([80, 80], own=False))
    assert meter.utilisation is None
    assert meter.peak_bytes == 123


def test_a_device_that_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml([])

    def refuse(device: str, seen: int) -> list[Any]:
        raise NVMLError("not supported")

    nvml.nvmlDeviceGetProcessUtilization = refuse  # type: ignore[method-assign]
    meter = metered(monkeypatch, Cuda(), nvml, seconds=0.03)
    assert (meter.peak_bytes, meter.utilisation) == (123, None)
    assert nvml.calls == ["init", "shutdown"]
