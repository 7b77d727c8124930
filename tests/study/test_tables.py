"""Tests of `bakeoff.study.tables`."""

import json
from typing import Any

import pytest

from bakeoff.study.tables import figure, markdown


def results() -> dict[str, Any]:
    def recipe(mean: float, sd: float | None) -> dict[str, Any]:
        cost = {"train_seconds": 1.25, "parameters": 7850, "macs_per_example": 7840}
        cost |= {"upstream_seconds": 0.0, "alone": True}
        metrics = {"test/accuracy": {"mean": mean, "sd": sd, "values": [mean]}}
        known = {"statuses": ["done"] * 3, "precision": ["float32"]}
        return {"metrics": metrics, "cost": cost, "seeds": [0, 1, 2]} | known

    verdict = {
        "a": "mlp",
        "metric": "test/accuracy",
        "difference": 0.155,
        "ci95": [0.15, 0.16],
        "outcome": "better",
        "sentence": "mlp beats softmax.",
    }
    return {
        "metric": "test/accuracy",
        "direction": "max",
        "control": "softmax",
        "margin": 0.005,
        "costs_alone": True,
        "environment": {"cores": 2, "processor": "a processor"},
        "recipes": {"softmax": recipe(0.4, None), "mlp": recipe(0.555, 0.0012)},
        "verdicts": [verdict, verdict | {"metric": "test/log_loss", "sentence": "not this"}],
    }


def folded() -> dict[str, Any]:
    final = {"sentence": "chosen by 5-fold cross-validation: mlp."}
    return results() | {"resampling": {"folds": 5, "repeats": 2}, "final": final}


def test_the_best_recipe_comes_first_and_the_control_has_no_difference() -> None:
    rows = [line for line in markdown(results()).splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| mlp | 55.50 % | 0.12 % | +15.50 (+15.00 to +16.00) | better")
    assert rows[2].startswith("| softmax | 40.00 % |  |  | control | 1.2 | 7,850 | 7,840 |")


def test_the_least_loss_comes_first() -> None:
    content = results() | {"direction": "min"}
    rows = [line for line in markdown(content).splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| softmax")


@pytest.mark.parametrize(
    ("metric", "unit", "margin"),
    [
        ("accuracy", "(points, 95 % interval)", "margin 0.50 points;"),
        ("perplexity", "(nats, 95 % interval)", "margin 0.005 nats;"),
        ("matthews_corrcoef", "against softmax (95 % interval)", "margin 0.005;"),
    ],
)
def test_differences_and_the_margin_have_their_unit(metric: str, unit: str, margin: str) -> None:
    content = json.loads(json.dumps(results()).replace("test/accuracy", f"test/{metric}"))
    told = markdown(content)
    assert unit in told
    assert margin in told


def test_only_sentences_of_the_metric_are_told() -> None:
    assert "mlp beats softmax." in markdown(results())
    assert "not this" not in markdown(results())


def test_seconds_that_were_not_measured_alone_are_called_no_price() -> None:
    assert "no price" not in markdown(results())
    content = results() | {"costs_alone": False}
    content["recipes"]["mlp"]["cost"]["alone"] = False
    text = markdown(content)
    assert "no price" in text
    assert "| (1.2) | 7,850" in text
    assert "| 1.2 | 7,850" in text


def test_seconds_of_what_a_recipe_needs_are_added() -> None:
    content = results()
    content["recipes"]["mlp"]["cost"]["upstream_seconds"] = 300.0
    text = markdown(content)
    assert "| 301.2 | 7,850" in text
    assert "seconds, those of what a recipe needs included, on 2 cores" in text


def test_divergence_and_other_precisions_are_told() -> None:
    content = results()
    content["recipes"]["mlp"] |= {"statuses": ["diverged", "done", "done"]}
    content["recipes"]["mlp"] |= {"precision": ["bfloat16"]}
    text = markdown(content)
    assert "| mlp (1 of 3 diverged) |" in text
    assert "a processor; softmax in float32, mlp in bfloat16." in text


def test_figures() -> None:
    assert figure(0.41236, "accuracy") == "41.24 %"
    assert figure(0.41236, "log_loss") == "0.4124"
    assert figure(None, "accuracy") == ""


def test_folds_are_called_folds_and_what_was_chosen_is_told() -> None:
    text = markdown(folded())
    assert "sd over folds" in text
    assert "5 folds x 2 repeats, 3 seeds in each; margin" in text
    assert text.splitlines()[-1] == "- chosen by 5-fold cross-validation: mlp."
    untested = markdown(folded() | {"final": None, "resampling": {"folds": 3, "repeats": 1}})
    assert "3 folds, 3 seeds in each; margin" in untested
    assert "chosen" not in untested


def test_precisions_name_a_recipe_once_for_all_levels_that_agree() -> None:
    content = results()
    softmax, mlp = content["recipes"]["softmax"], content["recipes"]["mlp"]
    half = mlp | {"precision": ["bfloat16"]}
    levels = {f"softmax@labels={n}": softmax for n in (50, 200)}
    levels |= {f"mlp@labels={n}": half for n in (50, 200)}
    levels |= {"cnn@labels=50": half, "cnn@labels=200": mlp}
    content |= {"recipes": levels, "control": "softmax@labels=50", "verdicts": []}
    told = "; softmax, cnn@labels=200 in float32, mlp, cnn@labels=50 in bfloat16."
    assert told in markdown(content)


def test_what_was_searched_is_told() -> None:
    content = results()
    content["recipes"]["mlp"]["search"] = {"sentence": "mlp has training.learning_rate 0.1."}
    assert "- mlp has training.learning_rate 0.1." in markdown(content)
