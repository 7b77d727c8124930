"""Standings and verdicts as people read them."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import show

from bakeoff.cli.standings import notes, ranked, tell


def recipe(mean: float | None, **more: Any) -> dict[str, Any]:
    score: dict[str, Any] = {"mean": mean, "sd": 0.0123, "values": [], "ci95": None}
    cost = {
        "train_seconds": 83.2,
        "upstream_seconds": 0.0,
        "parameters": 93_898,
        "macs_per_example": 912_000,
        "peak_bytes": 5 << 20,
    }
    plain = {"seeds": [0, 1, 2], "failed": [], "statuses": ["done"] * 3, "cost": cost}
    return plain | {"metrics": {} if mean is None else {"test/accuracy": score}} | more


def results(**more: Any) -> dict[str, Any]:
    sentence = "mlp beats softmax by 3.5 points of test accuracy (95 % interval 1.6 to 5.4)."
    plain = {
        "question": "Is it worth it?",
        "metric": "test/accuracy",
        "direction": "max",
        "recipes": {"softmax": recipe(0.9), "mlp": recipe(0.935), "broken": recipe(None)},
        "margin": 0.01,
        "margin_source": "declared",
        "costs_alone": True,
        "verdicts": [
            {"metric": "test/accuracy", "sentence": sentence, "a": "mlp", "b": "softmax"},
            {"metric": "test/log_loss", "sentence": "another metric", "a": "mlp", "b": "softmax"},
        ],
    }
    return plain | more


def test_tell(capsys: pytest.CaptureFixture[str]) -> None:
    tell(results())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Is it worth it?"
    header = ["recipe", "test/accuracy", "sd", "seeds", "time", "params", "MACs", "peak"]
    assert lines[2].split() == header
    first = "mlp 0.9350 0.0123 3 1 min 23 s 93.9 k 912.0 k 5 MiB"
    assert lines[3].split() == first.split()
    assert lines[4].startswith("softmax ")
    assert lines[5].split() == ["broken", *"-------"]
    assert lines[7].startswith("- mlp beats softmax by 3.5 points")
    assert "another metric" not in "\n".join(lines)
    assert lines[9] == "Margin: 0.01, as declared."


def test_lower_may_be_better() -> None:
    assert ranked(results()) == ["mlp", "softmax", "broken"]
    assert ranked(results(direction="min")) == ["softmax", "mlp", "broken"]


def test_notes() -> None:
    said = " ".join(notes(results()))
    assert "time to train one seed, parameters" in said
    assert "no price" not in said
    said = " ".join(notes(results(costs_alone=False, margin=None)))
    assert "(other work ran meanwhile: no price)" in said
    assert "Margin" not in said
    said = " ".join(notes(results(margin_source="default")))
    assert "Margin: 0.01, set from the control's validation score, before test was read." in said


def test_failed_and_diverged_are_named() -> None:
    wild = recipe(0.1, statuses=["done", "diverged", "diverged"], failed=[3, 4])
    said = list(notes(results(recipes={"wild": wild})))
    assert "wild: no result for seed 3, 4." in said
    assert "wild: diverged with 2 of 3 seeds." in said


def test_no_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    tell(results(verdicts=[]))
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("- ")]


def test_one_seed_has_no_spread(capsys: pytest.CaptureFixture[str]) -> None:
    one = recipe(0.5, seeds=[0])
    one["metrics"]["test/accuracy"]["sd"] = None
    tell(results(recipes={"one": one}))
    assert capsys.readouterr().out.splitlines()[3].split()[:4] == ["one", "0.5000", "-", "1"]


def test_on_a_terminal_of_80_columns(work: Path) -> None:
    code = (
        "from tests.cli.test_standings import recipe, results\n"
        "from bakeoff.cli.standings import tell\n"
        "tell(results(recipes={'a-name-of-20-letters': recipe(0.9), 'b' * 40: recipe(0.8)}))"
    )
    root = str(Path(__file__).resolve().parents[2])
    status, _, lines = show(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{code}"], work
    )
    assert status == 0, lines
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "test/\n" in text
    assert "1 min 23 s" in text
    assert "912.0 k" in text
    assert "5 MiB" in text
    assert text.count("b" * 10) >= 2


def test_folds_and_what_was_chosen_on_them(capsys: pytest.CaptureFixture[str]) -> None:
    final = {"recipe": "mlp", "sentence": "chosen by 5-fold cross-validation: mlp.", "seeds": [0]}
    final |= {"failed": [1], "statuses": ["diverged"]}
    folds = [{"repeat": 0, "fold": fold} for fold in range(5)]
    recipes = {"mlp": recipe(0.9, folds=folds, failed=["0.fold-4"])}
    given = results(recipes=recipes, resampling={"folds": 5}, final=final, margin_source="default")
    tell(given)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[2].split()[3] == "folds"
    assert lines[3].split()[3] == "5"
    assert "- chosen by 5-fold cross-validation: mlp." in lines
    said = " ".join(out.split())
    assert "before a fold score was read." in said
    assert "time to train one fold with one seed" in said
    assert "mlp: no result for seed 0.fold-4." in said
    assert "mlp, on test: no result for seed 1." in said
    assert "mlp, on test: diverged with 1 of 1 seeds." in said
