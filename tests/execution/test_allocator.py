"""Freed memory: kept for what is asked for next, and given back when told."""

import platform
import resource
import subprocess
import sys

import numpy as np
import pytest

from bakeoff.execution import allocator

MB = 10**6
glibc_only = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing"
)


def faults_of(blocks: int, megabytes: int) -> int:
    """Page faults of asking for a large block again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(blocks):
        block = np.ones(megabytes * MB, np.uint8)
        del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@glibc_only
def test_a_large_block_asked_for_again_costs_its_page_faults_once() -> None:
    once = 50 * MB // resource.getpagesize()
    assert allocator.keep_freed()
    # Blocks of huge pages cost fewer; where none were kept it would be twenty times as many.
    assert faults_of(20, 50) < 2 * once


@glibc_only
def test_what_was_freed_is_given_back() -> None:
    program = """
import numpy as np, psutil
from bakeoff.execution import allocator
allocator.keep_freed()
held = lambda: psutil.Process().memory_info().rss
before = held()
block = np.ones(300_000_000, np.uint8)
del block
kept = held() - before
allocator.give_back()
print(kept > 250_000_000, held() - before < 100_000_000)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    allocator.keep_freed.cache_clear()
    assert not allocator.keep_freed()
    allocator.give_back()
    allocator.keep_freed.cache_clear()
