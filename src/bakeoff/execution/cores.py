"""How many cores a process may keep busy: what is there, what it is bound to, what it was given."""

import math
import os
from collections.abc import Iterator, Set
from pathlib import Path

SLACK_CORES = 0.5
"""So much of a core may be missing before it is told."""
ROOT = Path("/")
"""Of the files in which Linux tells; elsewhere there are none."""


def core_count() -> int:
    """Physical cores this process may use: at least 1.

    Of those that are there only the ones it is bound to count, and no more than a container's
    quota: 2 processors' worth of time on 64 is best used by 2 threads, the others would wait.
    """
    import psutil

    there = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        there = min(there, _physical(os.sched_getaffinity(0), ROOT))
    return max(1, math.floor(min(there, quota(ROOT))))


def crowding(threads: int, jobs: int, others: float = 0.0) -> str | None:
    """What to say where there are fewer cores than threads that want one; None where there are not.

    The threads of a fit wait for the slowest of them, and keep their cores busy meanwhile. Two fits
    by two threads each, on two cores, took 4 to 30 times as long as one alone, not twice; fits by
    one thread share cores fairly.

    Args:
        threads: Of a cell.
        jobs: Cells at a time.
        others: Cores that other programs keep busy.
    """
    cores = core_count()
    if threads == 1 or threads * jobs <= cores - others + SLACK_CORES:
        return None
    if threads * jobs > cores:
        cells, there = "s" * (jobs > 1), "s" * (cores > 1)
        cause = f"{jobs} cell{cells} at a time, with up to {threads} threads each, on {cores} core"
        cause += there
        fit = max(1, cores // jobs)
    else:
        cause, fit = f"other programs keep {others:.1f} of {cores} cores busy", 1
    return (
        f"{cause}: threads wait for one another, which can take many times as long "
        f"(--set numerics.threads={fit} fits; threads are a recipe's, and do not follow --jobs)"
    )


def _physical(processors: Set[int], root: Path) -> int:
    """Cores behind the processors: two threads of one core count once, where that is told."""
    topology = "sys/devices/system/cpu/cpu{}/topology/{}"
    cores = set()
    for number in processors:
        names = ("physical_package_id", "core_id")
        told = tuple(_read(root / topology.format(number, name)) for name in names)
        cores.add((number,) if None in told else told)
    return len(cores)


def quota(root: Path = ROOT) -> float:
    """Processors' worth of time that control groups give this process; infinite: no limit.

    Both versions of Linux's control groups are asked, and all groups above the process's own: the
    tightest limit holds.
    """
    return min(_quotas(root), default=math.inf)


def _quotas(root: Path) -> Iterator[float]:
    mount = root / "sys/fs/cgroup"
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        # `0::/path` of version 2, `4:cpu,cpuacct:/path` of version 1
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in (mount / controllers, mount / ("cpu" if controllers else "unified")):
            own = folder / path.strip("/")
            above = [group for group in own.parents if folder in group.parents]
            # In a container the path may be the host's, of which only the mount itself is seen.
            for group in (own, *above, folder):
                limit = _limit_1(group) if controllers else _limit_2(group)
                if limit is not None:
                    yield limit


def _limit_1(group: Path) -> float | None:
    return _share(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))


def _limit_2(group: Path) -> float | None:
    most, _, period = (_read(group / "cpu.max") or "").partition(" ")
    return _share(most, period)


def _share(most: str | None, period: str | None) -> float | None:
    """Microseconds of processors' time in each period, as a number of processors."""
    try:
        share = int(most or "") / int(period or "")
    except (ValueError, ZeroDivisionError):  # `max`: no limit; or nothing is told
        return None
    return share if share > 0 else None  # -1: no limit


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
