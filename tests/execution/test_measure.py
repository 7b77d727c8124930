"""Peak memory against allocations of known size, and who else was busy meanwhile."""

import platform
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from bakeoff.execution import measure
from bakeoff.execution.measure import Company, Meter

MB = 10**6


def allocate(megabytes: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Memory that is really there: every page is written."""
    return np.ones(megabytes * MB, np.uint8)


@pytest.fixture(params=["kernel", "sampled"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's high-water mark, and sampling where there is none."""
    if request.param == "sampled":
        monkeypatch.setattr(measure, "_reset_peak", lambda: False)
    elif not measure._reset_peak():
        pytest.skip("this system does not let a process reset its high-water mark")


@pytest.mark.usefixtures("either_way")
def test_an_allocation_is_measured_and_the_baseline_is_not() -> None:
    held = allocate(100)
    with Meter() as meter:
        work = allocate(200)
        time.sleep(0.05)
        del work
    assert 195 * MB < meter.peak_bytes < 225 * MB
    assert held[-1] == 1


def test_what_was_freed_before_is_not_counted_and_what_is_freed_inside_is() -> None:
    earlier = allocate(300)
    del earlier
    with Meter() as meter:
        pass
    assert meter.peak_bytes < 20 * MB
    with Meter() as meter:
        for _ in range(5):
            allocate(60)
    assert 55 * MB < meter.peak_bytes < 85 * MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_small_objects_freed_before_do_not_hide_what_is_needed_inside() -> None:
    """An allocator keeps freed memory; without giving it back, the next peak would reuse it."""
    earlier = [bytes(1000) for _ in range(60_000)]
    kept = earlier.pop()  # at the end of the heap, which would else shrink by itself
    del earlier
    with Meter() as meter:
        inside = [bytes(1000) for _ in range(60_000)]
    assert (len(inside), len(kept)) == (60_000, 1000)
    assert meter.peak_bytes > 40 * MB


def test_failed_work_is_measured_too() -> None:
    meter = Meter()

    def fail() -> None:
        with meter:
            allocate(50)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert meter.peak_bytes > 45 * MB


def burn(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


BURN = "import time; t = time.perf_counter()\nwhile time.perf_counter() < t + {}: pass"


def test_another_busy_process_means_not_alone() -> None:
    other = subprocess.Popen([sys.executable, "-c", BURN.format(30)])
    try:
        with Meter() as meter:
            time.sleep(0.8)
    finally:
        other.kill()
        other.wait()
    assert not meter.alone


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """A machine on which nobody else does anything, whatever the one of this test does."""

    def busy() -> float:
        times = psutil.Process().cpu_times()
        return times.user + times.system + times.children_user + times.children_system

    monkeypatch.setattr(measure, "_busy", busy)
    return busy


@pytest.mark.usefixtures("quiet")
def test_our_own_work_and_that_of_our_children_leave_us_alone() -> None:
    with Meter() as meter:
        burn(0.3)
    assert meter.alone
    with Meter() as meter:
        subprocess.run([sys.executable, "-c", BURN.format(0.3)], check=True)
    assert meter.alone


@pytest.mark.parametrize(("others", "alone"), [(0.1, True), (0.2, True), (0.3, False), (2, False)])
def test_a_quarter_of_a_core_is_allowed(
    others: float, alone: bool, quiet: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.perf_counter()
    monkeypatch.setattr(measure, "_busy", lambda: quiet() + others * (time.perf_counter() - began))
    with Meter() as meter:
        time.sleep(0.25)
    assert meter.alone is alone


def test_too_short_a_time_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([0.0, 100.0])
    monkeypatch.setattr(measure, "_busy", lambda: next(busy))
    with Meter() as meter:
        pass
    assert meter.alone


def test_company_is_told_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([0.0, 0.0, 100.0, 100.0])
    monkeypatch.setattr(measure, "_busy", lambda: next(busy))
    first, company = Company(), Company()
    time.sleep(0.21)
    assert not company.alone()
    assert not first.alone()


def test_company_is_counted_in_cores(
    quiet: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.perf_counter()
    monkeypatch.setattr(measure, "_busy", lambda: quiet() + 1.5 * (time.perf_counter() - began))
    company = Company()
    time.sleep(0.3)
    assert company.cores() == pytest.approx(1.5, abs=0.2)
    assert company.cores(least_seconds=60) == 0


def test_waiting_is_not_busy_and_guests_are_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = {"user": 10, "nice": 1, "system": 5, "irq": 1, "softirq": 1, "steal": 2}
    times |= {"idle": 100, "iowait": 7, "guest": 3, "guest_nice": 1}
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(_asdict=lambda: times))
    assert measure._busy() == 20


def test_without_a_gpu_there_are_no_figures_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it had not been imported
    with Meter() as meter:
        pass
    assert (meter.gpu_peak_bytes, meter.gpu_utilisation) == (None, None)
