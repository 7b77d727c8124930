"""Cores: bound, shared by two threads, or rationed by a control group of either version."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from bakeoff.execution import cores


def system(root: Path, files: Mapping[str, str]) -> Path:
    """A system's files below a folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content + "\n", encoding="utf-8")
    return root


GROUP = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/", f"{GROUP}/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/", f"{GROUP}/cpu.max": "max 100000"}, math.inf),
        ({"proc/self/cgroup": "0::/a/b", f"{GROUP}/a/b/cpu.max": "150000 100000"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b",
                f"{GROUP}/a/cpu.max": "300000 100000",
                f"{GROUP}/a/b/cpu.max": "max 100000",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/of/the/host", f"{GROUP}/cpu.max": "50000 100000"}, 0.5),
        ({"proc/self/cgroup": "0::/x", f"{GROUP}/unified/x/cpu.max": "400000 100000"}, 4),
        (
            {
                "proc/self/cgroup": "5:memory:/m\n4:cpu,cpuacct:/docker/1",
                f"{GROUP}/cpu,cpuacct/docker/1/cpu.cfs_quota_us": "800000",
                f"{GROUP}/cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000",
            },
            8,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/\n3:cpuset:/",
                f"{GROUP}/cpu/cpu.cfs_quota_us": "-1",
                f"{GROUP}/cpu/cpu.cfs_period_us": "100000",
                f"{GROUP}/cpuset/cpu.max": "100000 100000",
            },
            math.inf,
        ),
    ],
)
def test_quota_is_the_tightest_of_all_groups(
    tmp_path: Path, files: Mapping[str, str], expected: float
) -> None:
    assert cores.quota(system(tmp_path, files)) == expected


@pytest.mark.parametrize(("ration", "expected"), [("200000", 2), ("270000", 2), ("50000", 1)])
def test_threads_follow_the_ration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ration: str, expected: int
) -> None:
    files = {"proc/self/cgroup": "0::/", f"{GROUP}/cpu.max": f"{ration} 100000"}
    monkeypatch.setattr(cores, "ROOT", system(tmp_path, files))
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    assert cores.core_count() == expected


def test_two_threads_of_a_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound to four processors, which are two cores."""
    topology = "sys/devices/system/cpu/cpu{}/topology"
    for number in range(8):
        folder = topology.format(number)
        system(
            tmp_path,
            {f"{folder}/core_id": str(number % 4), f"{folder}/physical_package_id": "0"},
        )
    monkeypatch.setattr(cores, "ROOT", tmp_path)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 4, 5}, raising=False)
    assert cores.core_count() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {9, 10, 11}, raising=False)
    assert cores.core_count() == 3, "where nothing is told of cores, processors count"


@pytest.mark.parametrize(
    ("threads", "jobs", "others", "told"),
    [
        (4, 1, 0.0, None),
        (4, 1, 0.4, None),
        (1, 8, 4.0, None),  # takes longer by what is lacking, not many times as long
        (2, 2, 0.0, None),
        (2, 2, 0.9, "other programs keep 0.9 of 4 cores busy: .*threads=1 fits;"),
        (4, 1, 0.6, "other programs keep 0.6 of 4 cores busy: .*threads=1 fits;"),
        (4, 2, 0.0, "2 cells at a time, with up to 4 threads each, on 4 cores: .*threads=2 fits;"),
        (4, 8, 0.0, "8 cells at a time, with up to 4 threads each, on 4 cores: .*threads=1 fits;"),
    ],
)
def test_cells_that_would_wait_for_cores_are_told_of(
    threads: int, jobs: int, others: float, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "core_count", lambda: 4)
    line = cores.crowding(threads, jobs, others)
    if told is None:
        assert line is None
    else:
        assert line is not None
        assert re.match(told, line)
