"""What recipes cost: counts, seconds, and what is no price."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.study.tiny import change_json

from bakeoff.core.record import LEAST_SECONDS, Record
from bakeoff.study.costs import costs, macs_ratio, seconds_per_seed, training_seconds
from bakeoff.study.folder import open_folder
from bakeoff.study.results import results

PRICED = {"cost|train_seconds": 8.0, "cost|warm_up_seconds": 1.0, "cost|alone": True}


@pytest.fixture
def folder(copy_of: Callable[[Path], Path], shared_run: Path) -> Path:
    """A run whose cells of softmax took 8 seconds, and 1 to warm up."""
    out = copy_of(shared_run)
    for name in ("softmax", "majority", "knn"):
        for seed in range(3):
            change_json(out / f"cells/{name}/seed-{seed}/record.json", PRICED)
    return out


def records(folder: Path, name: str) -> list[Record]:
    return list(open_folder(folder).records[name].values())


def test_seconds_are_those_of_cells_that_ran_alone(folder: Path) -> None:
    busy = {"cost|train_seconds": 100.0, "cost|alone": False}
    change_json(folder / "cells/softmax/seed-1/record.json", busy)
    found = costs(records(folder, "softmax"))
    assert (found["train_seconds"], found["alone"]) == (8.0, True)
    for seed in (0, 2):
        change_json(folder / f"cells/softmax/seed-{seed}/record.json", busy)
    found = costs(records(folder, "softmax"))
    assert (found["train_seconds"], found["alone"]) == (100.0, False)
    assert results(open_folder(folder))["costs_alone"] is False
    assert costs([])["train_seconds"] is None


def test_what_optimisers_remember_is_told_where_cells_tell_it(folder: Path) -> None:
    found = records(folder, "softmax")
    assert "optimiser_bytes" not in costs(found)
    cost = found[0].cost.model_copy(update={"optimiser_bytes": 800})
    told = found[0].model_copy(update={"cost": cost})
    assert costs([told, *found[1:]])["optimiser_bytes"] == 800


def test_what_a_recipe_needs_is_part_of_its_price(folder: Path) -> None:
    key = records(folder, "knn")[0].key
    for seed in range(3):
        change = {"cost|upstream_seconds": 3.0, "inputs": {"encoder": key}}
        change_json(folder / f"cells/softmax/seed-{seed}/record.json", change)
    assert training_seconds(costs(records(folder, "softmax"))) == 11.0
    assert training_seconds(costs([])) is None
    opened = open_folder(folder)
    assert seconds_per_seed(opened, ("majority",)) == 9.0
    assert seconds_per_seed(opened, ("majority", "softmax")) == 27.0
    priced = records(folder, "softmax")[0].priced_seconds
    assert priced is not None
    assert priced.value == 11.0


def test_no_time_is_told_where_nothing_ran_alone(folder: Path) -> None:
    for seed in range(3):
        change_json(folder / f"cells/knn/seed-{seed}/record.json", {"cost|alone": False})
    opened = open_folder(folder)
    assert seconds_per_seed(opened, ("softmax", "knn")) is None
    assert seconds_per_seed(opened, ("softmax",)) == 9.0


@pytest.mark.parametrize(
    "change",
    [
        {"cost|alone": False},
        {"status": "diverged"},
        {"cost|train_seconds": 0.9 * LEAST_SECONDS},
    ],
)
def test_what_is_no_price(folder: Path, change: dict[str, object]) -> None:
    assert records(folder, "softmax")[0].priced_seconds is not None
    change_json(folder / "cells/softmax/seed-0/record.json", change)
    assert records(folder, "softmax")[0].priced_seconds is None


@pytest.mark.parametrize(
    ("elsewhere", "told"),
    [
        ({"processor": "another"}, False),
        ({"cores": 64}, False),
        ({"device": "cuda"}, False),
        ({"device": "cuda", "device_name": "a GPU"}, False),
        ({"threads": 7}, True),  # a setting, whose price may be asked
    ],
)
def test_no_ratio_of_costs_is_told_across_hardware(
    folder: Path, elsewhere: dict[str, object], told: bool
) -> None:
    def ratio() -> object:
        verdict = results(open_folder(folder))["verdicts"][0]
        assert (verdict["a"], verdict["b"]) == ("softmax", "majority")
        return verdict["cost_ratio"]

    def move(name: str) -> None:
        for seed, record in enumerate(records(folder, name)):
            change = {"fingerprint": record.fingerprint | elsewhere}
            change_json(folder / f"cells/{name}/seed-{seed}/record.json", change)

    assert ratio() is not None
    move("softmax")
    assert (ratio() is not None) == told
    move("majority")
    assert ratio() is not None


def test_arithmetic_beside_the_control(folder: Path) -> None:
    opened = open_folder(folder)
    ratio = macs_ratio(opened, "knn", "softmax")
    assert ratio == pytest.approx(64 * len_of_memory(folder) / 640)
    assert macs_ratio(opened, "softmax", "majority") is None  # which computes nothing


def len_of_memory(folder: Path) -> int:
    return int(records(folder, "knn")[0].sizes["train"])
