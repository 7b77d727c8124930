"""Teams: every example once, faults and floating-point states carried over, limits put back."""

import threading
import warnings

import numpy as np
import pytest

from bakeoff.scratch.kernels.parallel import Team


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_example_is_worked_on_once(number: int, count: int) -> None:
    seen, numbers = np.zeros(count, int), []

    def work(place: int, part: slice) -> None:
        seen[part] += 1
        numbers.append(place)

    parts = Team(number, (lambda threads: None,)).split(count, work)
    assert parts == max(1, min(number, count))
    assert sorted(numbers) == list(range(parts))
    assert (seen == 1).all()


def test_parts_are_worked_on_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)
    numbers: list[int] = []
    Team(2).split(2, lambda number, part: numbers.append(meeting.wait()))
    assert sorted(numbers) == [0, 1]


def test_libraries_are_held_to_one_thread_meanwhile() -> None:
    noted: list[int] = []
    during: list[list[int]] = []
    team = Team(2, (noted.append,))
    team.split(4, lambda number, part: during.append(list(noted)))
    assert during == [[1], [1]]
    assert noted == [1, 2]
    team.split(1, lambda number, part: None)
    assert noted == [1, 2]  # one part: the libraries' own threads may help


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failing_part_is_told_after_all_have_ended(failing: int) -> None:
    noted: list[int] = []
    done: list[int] = []

    def work(number: int, part: slice) -> None:
        if number == failing:
            raise ValueError("as asked")
        done.append(number)

    with pytest.raises(ValueError, match="as asked"):
        Team(2, (noted.append,)).split(2, work)
    assert done == [1 - failing]
    assert noted == [1, 2]


def test_floating_point_faults_are_treated_as_in_the_caller() -> None:
    def work(number: int, part: slice) -> None:
        np.array([1e38], np.float32) * np.float32(1e38)

    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("error")
        Team(2).split(2, work)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        Team(2).split(2, work)
