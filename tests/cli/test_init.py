"""The entry point: help at once, exit codes, errors as lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.calling import PATIENCE, SOURCE, Caller, assert_clear, call, command, environment

from bakeoff import __version__
from bakeoff.cli import COMMANDS, _tell, group
from bakeoff.core.errors import BakeoffError, InputError, Interrupted

HEAVY = ("torch", "scipy", "sklearn", "transformers", "numpy", "rich", "yaml", "pydantic")


def test_every_command_is_listed_and_has_help(bakeoff: Caller) -> None:
    listing = bakeoff("--help").out
    context = click.Context(group)
    for name, (home, summary) in COMMANDS.items():
        assert f"  {name} " in listing
        assert summary.endswith(".")
        found = group.get_command(context, name)
        assert found is not None
        assert found.name == name
        assert home.split(":")[0].startswith("bakeoff.cli.")
        assert bakeoff(name, "--help").out.startswith(f"Usage: bakeoff {name}")


def test_every_option_has_help() -> None:
    context = click.Context(group)
    for name in COMMANDS:
        found = group.get_command(context, name)
        commands = [*found.commands.values()] if isinstance(found, click.Group) else [found]
        for each in commands:
            assert each is not None
            assert each.help
            for parameter in each.params:
                if isinstance(parameter, click.Option):
                    assert parameter.help, f"{each.name} {parameter.name}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_loads_nothing_heavy(name: str) -> None:
    """Not even the help of a single command waits for torch, NumPy or pydantic."""
    code = (
        "import sys\n"
        f"sys.argv = ['bakeoff', {name!r}, '--help']\n"
        "from bakeoff.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr.strip() == ""


def test_completion_is_mentioned(bakeoff: Caller) -> None:
    assert "bakeoff completion" in bakeoff("--help").out


def test_module(work: Path) -> None:
    called = call("--version", cwd=work)
    assert called.code == 0
    assert __version__ in called.out
    assert call("run", cwd=work).err.startswith("Usage: bakeoff run")


def test_unknown_command(bakeoff: Caller) -> None:
    assert "did you mean 'verify'?" in assert_clear(bakeoff("verfy"))
    assert "No such option" in assert_clear(bakeoff("--versoin"))


def test_errors_become_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for error, code, lines in (
        (InputError(["first", "second"]), 2, "bakeoff: first\nbakeoff: second\n"),
        (BakeoffError("broken"), 1, "bakeoff: broken\n"),
        (Interrupted(15), 143, "bakeoff: interrupted by signal 15; run the same command to"),
        (MemoryError(), 1, "bakeoff: out of memory\n"),
    ):
        assert _tell(error) == code
        assert capsys.readouterr().err.startswith(lines)


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        _tell(ZeroDivisionError())
    with pytest.raises(PermissionError):
        _tell(PermissionError(13, "Permission denied"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written(work: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("list", "datasets"),
            cwd=work,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "bakeoff: cannot write the output: No space left on device\n"


def test_reader_that_goes_away(work: Path) -> None:
    """As in `bakeoff list techniques | head -1`: that is no failure, and nothing is said."""
    process = subprocess.Popen(
        command("list", "techniques"),
        cwd=work,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(PATIENCE) == 0
    assert said == ""


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_closed_streams(work: Path) -> None:
    line = f'"{sys.executable}" -m bakeoff list models >&- 2>&-'
    assert (
        subprocess.run(line, shell=True, cwd=work, env=environment(), check=False).returncode == 0
    )


def test_signs_the_terminal_lacks(work: Path) -> None:
    study = work / "coffee.yaml"
    study.write_text(
        "question: Is coffee ☕ worth it?\ndataset: digits\ncontrol: {technique: knn}\n",
        encoding="utf-8",
    )
    called = call("show", study, cwd=work, env={"PYTHONIOENCODING": "latin-1"})
    assert called.code == 0
    assert called.out.startswith("coffee: Is coffee ? worth it?")
    found = json.loads(call("show", study, "--json", cwd=work).out)
    assert found["question"] == "Is coffee ☕ worth it?"


def test_installed_script_is_the_same() -> None:
    text = (SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert 'bakeoff = "bakeoff.cli:main"' in text
