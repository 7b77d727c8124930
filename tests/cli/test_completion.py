"""Shells complete commands, options and names."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cli.calling import Caller, assert_clear, call

from bakeoff.cli import COMMANDS
from bakeoff.data.catalogue import DATASETS
from bakeoff.models import MODELS
from bakeoff.study.study import built_in_names
from bakeoff.techniques import TECHNIQUES


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_a_script(bakeoff: Caller, shell: str) -> None:
    called = bakeoff("completion", shell)
    assert called.code == 0
    assert "_BAKEOFF_COMPLETE" in called.out
    assert f"{shell}_complete" in called.out
    assert "bakeoff" in called.out


def test_help_has_a_line_for_each_shell(bakeoff: Caller) -> None:
    lines = bakeoff("completion", "--help").out.splitlines()
    assert sum("bakeoff completion " in line for line in lines) == 4  # the usage, and three
    assert not any("\\b" in line for line in lines)


def test_another_shell(bakeoff: Caller) -> None:
    assert "'bash', 'fish', 'zsh'" in assert_clear(bakeoff("completion", "tcsh"))


def complete(words: str, work: Path) -> list[str]:
    """What bash is answered for a line, of which the last word is to be completed."""
    typed = words.split(" ")
    env = {
        "_BAKEOFF_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(typed) - 1),
    }
    called = call(cwd=work, env=env)
    assert called.err == ""
    return called.out.splitlines()


def test_answers(work: Path) -> None:
    assert complete("bakeoff ver", work) == ["plain,verify"]
    assert complete("bakeoff ", work) == [f"plain,{name}" for name in sorted(COMMANDS)]
    studies = [f"plain,{name}" for name in built_in_names()]
    assert complete("bakeoff run ", work) == studies
    assert complete("bakeoff run --req", work) == ["plain,--require-verdict"]
    assert complete("bakeoff show digits-f", work) == ["plain,digits-first"]
    assert complete("bakeoff run my-st", work) == ["file,my-st"]
    assert complete("bakeoff list mo", work) == ["plain,models"]
    assert complete("bakeoff data pa", work) == ["plain,path"]


def test_names(work: Path) -> None:
    sets = complete("bakeoff data fetch ", work)
    assert sets == [f"plain,{name}" for name in sorted(DATASETS)]
    both = sorted({*MODELS, *TECHNIQUES})
    assert complete("bakeoff profile ", work) == [f"plain,{name}" for name in both]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_the_script(bakeoff: Caller, work: Path) -> None:
    script = work / "complete.sh"
    script.write_text(bakeoff("completion", "bash").out, encoding="utf-8")
    line = f"source {script}; complete -p bakeoff"
    done = subprocess.run(
        ["bash", "--norc", "-c", line], capture_output=True, text=True, check=True
    )
    assert "_bakeoff_completion" in done.stdout
