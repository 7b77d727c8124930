"""Numbers in units that fit, and tables for pipes and terminals."""

import io
import json
import sys
from pathlib import Path

import pytest
from tests.cli.terminal import show

from bakeoff.cli.output import (
    compact,
    console,
    count,
    on_terminal,
    paragraph,
    print_json,
    print_table,
    say,
    size,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0, "0"),
        (650, "650"),
        (9_999, "9,999"),
        (93_898, "93.9 k"),
        (999_949, "999.9 k"),
        (999_960, "1.0 M"),
        (11_173_962, "11.2 M"),
        (7_000_000_000, "7.0 G"),
        (1_200_000_000_000, "1.2 T"),
    ],
)
def test_compact(number: float | None, text: str) -> None:
    assert compact(number) == text
    assert len(text) <= 7


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1 << 20, "1 MiB"),
        (1_048_100, "1 MiB"),
        (3 << 29, "1.5 GiB"),
    ],
)
def test_size(number: float | None, text: str) -> None:
    assert size(number) == text


def test_count() -> None:
    assert count(None) == "-"
    assert count(1_234_567) == "1,234,567"


def test_json_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "é", "values": [1, None]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "é", "values": [1, None]}
    assert "é" in out
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))


def test_say_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_saying_it_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    say("hello")
    monkeypatch.setattr(sys, "stderr", None)
    say("hello")


def test_plain_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["recipe", "test/\naccuracy"], [["cnn", "0.9"], ["softmax", "0.85"]], right="lr")
    assert capsys.readouterr().out.splitlines() == [
        "recipe   test/accuracy",
        "cnn                0.9",
        "softmax           0.85",
    ]


def test_plain_text_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert paragraph("word " * 100) == "word " * 100


def test_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert on_terminal(Screen())
    assert not on_terminal(io.StringIO())
    assert not on_terminal(None)
    monkeypatch.setenv("TERM", "dumb")
    assert not on_terminal(Screen())


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = console(io.StringIO())
    screen.print("[bold red]text", markup=True)
    assert screen.file.getvalue() == "text\n"  # type: ignore[attr-defined]


TABLE = """\
from bakeoff.cli.output import paragraph, print_table
rows = [["a-recipe-with-a-long-name", "0.9321", "words " * 12], ["b", "0.5", "a few words"]]
print_table(["recipe", "test/\\naccuracy", "what"], rows, right="lrl")
print(paragraph("word " * 30, "  "))
"""


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_fits_the_terminal(work: Path, columns: int) -> None:
    code, raw, lines = show([sys.executable, "-c", TABLE], work, columns)
    assert code == 0
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "0.9321" in text
    assert "0.5" in text
    assert text.count("words") == 13
    assert text.count("word") - 13 == 30
    assert "\x1b[1m" in raw  # the header is bold


def test_terminal_too_narrow_for_the_numbers(work: Path) -> None:
    """They are wrapped by the terminal rather than cut off."""
    code, _, lines = show([sys.executable, "-c", TABLE], work, 16)
    assert code == 0
    assert "0.9321" in "".join(lines)


def test_no_escape_codes_without_colour(work: Path) -> None:
    _, raw, _ = show([sys.executable, "-c", TABLE], work, env={"NO_COLOR": "1"})
    assert "\x1b" not in raw
