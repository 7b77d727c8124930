"""`bakeoff map`."""

import json
from pathlib import Path

import numpy as np
from tests.cli.calling import Caller, assert_clear

from bakeoff.data import catalogue


def test_table_picture_and_what_they_are_worth(bakeoff: Caller, finished: Path, work: Path) -> None:
    test = catalogue.load("digits").test
    assert test is not None
    np.save(work / "new.npy", np.asarray(test.items)[:40])
    arguments = ["map", f"{finished}:mlp", "new.npy", "-o", "map.csv", "--picture", "map.png"]
    called = bakeoff(*arguments, "--perplexity", "10")
    assert called.code == 0
    assert "trustworthiness" in called.out
    assert "sizes and shapes mean nothing" in called.err
    assert (work / "map.csv").read_text().startswith("id,part,label,prediction,x,y\n")
    assert (work / "map.png").read_bytes().startswith(b"\x89PNG")


def test_json(bakeoff: Caller, finished: Path, work: Path) -> None:
    called = bakeoff("map", f"{finished}:mlp", "digits", "-o", "m.csv", "--method", "pca", "--json")
    assert called.code == 0
    assert json.loads(called.out)["points"] == 898


def test_one_file_is_not_written_twice(bakeoff: Caller, finished: Path, work: Path) -> None:
    command = ["map", f"{finished}:mlp:0", "digits", "-o", "m.csv"]
    assert "written over" in assert_clear(bakeoff(*command, "--picture", "m.csv"))
    assert "written over" in assert_clear(
        bakeoff(*command, "--picture", "p.png", "--vectors", "p.png")
    )
    assert not (work / "m.csv").exists()


def test_bad_input(bakeoff: Caller, finished: Path, work: Path) -> None:
    called = bakeoff("map", f"{finished}:mlp", "-o", "map.csv", "--perplexity", "0")
    assert "perplexity: 0 received" in assert_clear(called)
    assert not (work / "map.csv").exists()
