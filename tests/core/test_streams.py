"""Streams: functions of seed and name alone, in every process, whatever else draws."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.samples import environment

from bakeoff.core.streams import Name, Streams

NAMES = st.lists(st.text(max_size=8) | st.integers(0, 2**40), min_size=1, max_size=3)


def test_draws_never_change() -> None:
    """Results that were published depend on these numbers."""
    assert Streams(0).integer("init", "layer1.weight") == 8473073163984568153
    assert Streams(7, "fold", 2).integer("order", 3) == 7659545943823015885
    assert Streams(0).generator("order", 0).permutation(8).tolist() == [2, 0, 1, 3, 6, 5, 4, 7]


def test_other_processes_draw_the_same() -> None:
    program = (
        "from bakeoff.core.streams import Streams\n"
        "print(*Streams(3, 'fold').generator('dropout', 5).standard_normal(4).tolist())"
    )
    here = Streams(3, "fold").generator("dropout", 5).standard_normal(4).tolist()
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment(PYTHONHASHSEED=hash_seed),
            capture_output=True,
            text=True,
        )
        assert [float(text) for text in done.stdout.split()] == here, done.stderr


def test_a_stream_does_not_move_another() -> None:
    alone = Streams(0).generator("order").random(5)
    streams = Streams(0)
    streams.generator("dropout", "new-layer").random(1000)
    first = streams.generator("order")
    assert np.array_equal(first.random(5), alone)
    assert np.array_equal(streams.generator("order").random(5), alone)


@settings(deadline=None)
@given(a=NAMES, b=NAMES, seed=st.integers(0, 2**32))
def test_other_names_draw_otherwise(a: list[Name], b: list[Name], seed: int) -> None:
    same = Streams(seed).integer(*a) == Streams(seed).integer(*b)
    assert same == (a == b)


def test_neighbouring_streams_are_not_alike() -> None:
    streams = Streams(0)
    draws = np.array([streams.generator("order", epoch).random(500) for epoch in range(40)])
    draws = np.vstack([draws, [Streams(seed).generator("order").random(500) for seed in range(40)]])
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    # 3160 pairs; 0.25 is 5.6 standard deviations of a correlation over 500 pairs.
    assert np.abs(correlations).max() < 0.25
    assert abs(correlations.mean()) < 0.005


def test_text_and_numbers_are_told_apart() -> None:
    streams = Streams(0)
    names: list[tuple[Name, ...]] = [(1,), ("1",), ("a", "b"), ("ab",), ("a, b",)]
    values = {streams.integer(*name) for name in names}
    assert len(values) == 5
    assert Streams(1).integer("x") != Streams(0).integer(1, "x")


def test_numpy_integers_and_strings_are_the_same_names() -> None:
    plain = Streams(3, "fold", 1).integer("order", 2)
    assert Streams(np.int64(3), "fold", np.int32(1)).integer("order", np.int64(2)) == plain  # type: ignore[arg-type]
    assert Streams(3, np.str_("fold"), 1).integer(np.str_("order"), 2) == plain
    assert Streams(3).within("fold", 1).integer("order", 2) == plain


def test_other_types_are_no_names() -> None:
    with pytest.raises(TypeError):
        Streams(0).integer(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Streams(0.5)  # type: ignore[arg-type]


def test_integers_have_the_bits_asked_for() -> None:
    streams = Streams(0)
    small = [streams.integer("x", i, bits=3) for i in range(300)]
    assert set(small) == set(range(8))
    wide = [streams.integer("x", i) for i in range(300)]
    assert max(wide) < 2**63
    assert max(wide) > 2**62
