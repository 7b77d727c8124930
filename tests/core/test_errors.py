"""What users read when something is wrong."""

import pytest

from bakeoff.core.errors import (
    BakeoffError,
    DiskError,
    InputError,
    Interrupted,
    nearest,
    shown,
    suggest,
    unknown,
)


def test_all_faults_are_one_error() -> None:
    error = InputError(f"fault {number}" for number in range(3))
    assert error.faults == ("fault 0", "fault 1", "fault 2")
    assert str(error) == "fault 0\nfault 1\nfault 2"
    assert InputError("alone").faults == ("alone",)


def test_bad_input_is_a_value_error_of_ours() -> None:
    assert isinstance(InputError("x"), ValueError)
    assert isinstance(InputError("x"), BakeoffError)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BakeoffError("x"), 1),
        (DiskError("x"), 1),
        (InputError("x"), 2),
        (Interrupted(2), 130),
        (Interrupted(15), 143),
        (Interrupted(1), 129),
    ],
)
def test_exit_codes(error: BakeoffError, code: int) -> None:
    assert error.exit_code == code


def test_an_interruption_says_how_to_go_on() -> None:
    assert Interrupted(15).signal_number == 15
    assert "run the same command to continue" in str(Interrupted(15))


@pytest.mark.parametrize(
    ("received", "name"),
    [("foldr", "folder"), ("FOLDER", "folder"), ("chanels", "channels"), ("xyz", None), ("", None)],
)
def test_the_nearest_name_is_found_whatever_its_case(received: str, name: str | None) -> None:
    allowed = ["channels", "folder", "size"]
    assert nearest(received, allowed) == name
    assert suggest(received, allowed) == (f"; did you mean '{name}'?" if name else "")


def test_a_name_is_suggested_as_it_is_written() -> None:
    assert nearest("imageid", ["ImageId", "label"]) == "ImageId"


def test_an_unknown_name_is_told_with_place_and_choice() -> None:
    error = unknown("metric", "acuracy", ["accuracy", "log_loss"], "training.select")
    assert str(error) == (
        "training.select: unknown metric 'acuracy'; did you mean 'accuracy'? "
        "(allowed: accuracy, log_loss)"
    )
    assert str(unknown("study", 3, [])) == "unknown study '3' (allowed: none)"


def test_what_cannot_be_seen_is_written_out() -> None:
    assert shown("a b/дог") == "a b/дог"
    assert shown("a\nb\t\x1b[1m\udcff") == "a\\nb\\t\\x1b[1m\\udcff"
