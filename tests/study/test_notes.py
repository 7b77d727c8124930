"""Notes on recipes before anything runs."""

from bakeoff.study.notes import notes
from bakeoff.study.prepare import prepare
from bakeoff.study.study import load_study


def test_rates_stand_beside_their_bounds() -> None:
    found = notes(prepare(load_study("lms-vs-wiener")))
    assert set(found) == {
        *("lms-0.005", "lms-0.01", "lms-0.05", "lms-0.1", "lms-0.5", "lms-1", "nlms")
    }
    assert "settles" in found["lms-0.005"][0]
    assert found["lms-0.5"][0].endswith("diverges")
    assert found["lms-1"][0].endswith("diverges")


def test_other_techniques_say_nothing() -> None:
    assert notes(prepare(load_study("digits-first"))) == {}
