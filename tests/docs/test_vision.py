"""The page on the ladder of models says what `bakeoff profile` counts, and names what there is."""

import json
import re
from pathlib import Path

import pytest
import torch

from bakeoff.models import MODELS, build
from bakeoff.models.macs import profile
from bakeoff.models.settings import SpeedrunSettings
from bakeoff.study.study import built_in_names
from bakeoff.techniques.cnn import CnnSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vision.md"
SPEED = PAGE.parents[1] / "benchmarks" / "results" / "vision.json"
SHAPE = (32, 32, 3)
ROW = re.compile(r"^\| `([\w-]+)` \| ([\d,]+) \| ([\d,]+) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ladder(text: str) -> dict[str, tuple[int, int]]:
    """Parameters and MACs by model, as the page has them."""
    table = text.partition("<!-- ladder -->")[2].partition("<!-- /ladder -->")[0]
    rows = {name: (a.replace(",", ""), b.replace(",", "")) for name, a, b in ROW.findall(table)}
    return {name: (int(a), int(b)) for name, (a, b) in rows.items()}


def test_every_model_is_there_from_the_cheapest_up(ladder: dict[str, tuple[int, int]]) -> None:
    assert set(ladder) == set(MODELS)
    macs = [counted for _, counted in ladder.values()]
    assert macs == sorted(macs)


@pytest.mark.parametrize("name", MODELS)
def test_counts_are_those_of_profile(name: str, ladder: dict[str, tuple[int, int]]) -> None:
    settings = CnnSettings.parse({"model": {"name": name}}).model
    with torch.random.fork_rng([]):
        rows = profile(build(settings, SHAPE, 10), (3, 32, 32))
    assert ladder[name] == (sum(r.parameters for r in rows), sum(r.macs for r in rows))


def test_outputs_of_speedrun_are_those_of_its_layers(text: str) -> None:
    settings = SpeedrunSettings()
    with torch.random.fork_rng([]):
        rows = {r.name: r for r in profile(build(settings, SHAPE, 10), (3, 32, 32))}
    told = text.partition("## `speedrun`")[2].partition("**Whitening.**")[0]
    for name in ("whitening", "block1.norm2", "block2.norm2", "block3.norm2"):
        assert f"| {' x '.join(map(str, rows[name].output))} |" in told, name


def test_every_field_of_speedrun_is_explained(text: str) -> None:
    for field in set(SpeedrunSettings.model_fields) - {"name"}:
        assert f"| `{field}` |" in text


def test_named_studies_are_there(text: str) -> None:
    table = text.partition("## The studies")[2]
    named = [n for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for n in row.split()]
    assert len(named) == 14
    assert {name.strip("`,") for name in named} <= set(built_in_names())


def test_speeds_are_those_of_the_benchmark(text: str) -> None:
    case = json.loads(SPEED.read_text())["cases"]["resnet20, batch 128"]
    told = text.partition("<!-- speed -->")[2].partition("<!-- /speed -->")[0]
    by_way = {r["ours"]: 1 / r["median"] for r in case["ratios"] if r["theirs"] == "ordinary"}
    rows = {"ordinary": "usual script, float32", "tuned by hand": "the same tuned by hand"}
    for way, speed in case["images_per_second"].items():
        name, times = rows.get(way, way), by_way.get(way, 1.0)
        assert f"| {name} | {speed['median']:,.0f} | {times:.2f} |" in told
    shares = ("convolution", "batch norm", "activations and pooling")
    assert all(f"{case['shares'][name]:.0%}".replace("%", " %") in told for name in shares)
    for name in ("reading and augmenting", "optimiser"):
        assert f"{case['shares'][name]:.1%}".replace("%", " %") in told
