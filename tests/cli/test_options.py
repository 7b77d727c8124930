"""Options that several commands share."""

import os
from pathlib import Path

import click
import pytest

from bakeoff.cli.options import can_be_made, offline_option, parse_settings
from bakeoff.core.errors import InputError
from bakeoff.core.offline import is_offline


def test_values_are_yaml() -> None:
    pairs = (
        "training.epochs=3",
        "model.batch_norm=true",
        "margin=0.01",
        "model.hidden=[64, 32]",
        "data.labels=all",
        "dataset={table: a=b.csv}",
        "name=",
        "training.stopping={rule: patience, on: loss}",
    )
    assert parse_settings(pairs) == {
        "training.epochs": 3,
        "model.batch_norm": True,
        "margin": 0.01,
        "model.hidden": [64, 32],
        "data.labels": "all",
        "dataset": {"table": "a=b.csv"},
        "name": None,
        "training.stopping": {"rule": "patience", "on": "loss"},
    }


def test_the_last_one_holds() -> None:
    assert parse_settings(("a=1", "a=2")) == {"a": 2}


def test_every_fault_is_told() -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(("epochs", "=3", "a..b=1", "b=[1", "c=1"))
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "--set epochs",
        "--set =3",
        "--set a..b=1",
        "--set b=[1",
    ]


def refusal(path: Path) -> str:
    command = click.Command("x")
    with pytest.raises(click.BadParameter) as caught:
        can_be_made(click.Context(command), click.Option(["--out"]), path)
    return caught.value.format_message()


def test_a_place_that_can_be_made(tmp_path: Path) -> None:
    context, option = click.Context(click.Command("x")), click.Option(["--out"])
    for path in (tmp_path, tmp_path / "a" / "b", Path("relative")):
        assert can_be_made(context, option, path) == path
    assert can_be_made(context, option, None) is None


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = refusal(tmp_path / "file" / "run")
    assert f"{tmp_path / 'file'} is a file, not a folder" in message


def test_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert f"no right to write in {tmp_path}" in refusal(tmp_path / "run")


def test_offline_is_said_to_all_below_and_to_nobody_after() -> None:
    seen = []

    @click.command()
    @offline_option
    def command() -> None:
        seen.append(is_offline())

    command.main(["--offline"], standalone_mode=False)
    command.main([], standalone_mode=False)
    assert seen == [True, False]
    assert not is_offline()
