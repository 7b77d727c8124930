"""The headline says what the verdicts come to, and no more."""

from typing import Any

import pytest

from bakeoff.report import answer
from bakeoff.report.folder import RunFolder
from bakeoff.report.results import Results, parse


def study(*verdicts: dict[str, Any], **more: Any) -> Results:
    names = dict.fromkeys(["plain", *(v["a"] for v in verdicts)])
    score = {"test/accuracy": {"values": [0.8], "mean": 0.8}}
    recipes = {name: {"seeds": [0, 1, 2, 3, 4], "metrics": score} for name in names}
    content = {"control": "plain", "metric": "test/accuracy", "margin": 0.005, "looks": [5, 20]}
    return parse(content | {"recipes": recipes, "verdicts": list(verdicts)} | more)


def row(a: str, outcome: str, difference: float = 0.0, **more: Any) -> dict[str, Any]:
    base = {"a": a, "b": "plain", "metric": "test/accuracy", "outcome": outcome}
    return base | {"difference": difference} | more


BETTER = row("bn", "better", 0.021, cost_ratio=1.3, cost_ratio_ci95=[1.2, 1.4])
EQUAL = row("swish", "equivalent", 0.001, cost_ratio=0.8, cost_ratio_ci95=[0.7, 0.9])
WORSE = row("tanh", "worse", -0.03)
OPEN = row("gelu", "undecided", 0.004, seeds_to_decide={"from": 10, "to": 20})


@pytest.mark.parametrize(
    ("verdicts", "text", "more"),
    [
        (
            (BETTER, row("resnet", "better", 0.05), EQUAL, WORSE, OPEN),
            "resnet beats plain by 5.0 points of test accuracy.",
            "So does bn. As good as plain, to within your margin of 0.50 points: swish. "
            "Worse: tanh. Cannot tell yet: gelu.",
        ),
        (
            (BETTER,),
            "bn beats plain by 2.1 points of test accuracy, at 1.3× the training time.",
            "",
        ),
        (
            (OPEN, WORSE),
            "Cannot tell yet whether gelu beats plain.",
            "About 10 to 20 seeds in all may decide it; 5 are done. Worse: tanh.",
        ),
        (
            (EQUAL, row("relu6", "equivalent", cost_ratio=0.5, cost_ratio_ci95=[0.2, 1.3])),
            "None of the variants makes a difference to plain that matters, "
            "to within your margin of 0.50 points.",
            "swish needs only 0.8× the training time of plain.",
        ),
        (
            (EQUAL,),
            "swish makes no difference to plain that matters, "
            "to within your margin of 0.50 points.",
            "swish needs only 0.8× the training time of plain.",
        ),
        (
            (EQUAL, WORSE),
            "Nothing beats plain by your margin of 0.50 points; swish differs from it by less.",
            "swish needs only 0.8× the training time of plain.",
        ),
        ((WORSE,), "tanh loses to plain.", ""),
        ((WORSE, row("x", "worse", -0.1)), "Nothing beats plain.", ""),
        (
            (row("x", "undecided", reason="2 of the 5 seeds of the first look are there"),),
            "No verdict was possible.",
            "2 of the 5 seeds of the first look are there.",
        ),
        (
            (row("x", "better", 0.1, exploratory=True, reason="added late"),),
            "No verdict was possible.",
            "Added late.",
        ),
        (
            (row("x", "undecided", limited_by="examples", examples_to_decide=1200),),
            "Cannot tell yet whether x beats plain.",
            "About 1\N{NARROW NO-BREAK SPACE}200 more test examples, with 20 seeds, may decide it; "
            "seeds alone would not.",
        ),
        (
            (row("a", "better", 0.02, cost_ratio=1.4, cost_ratio_ci95=[0.8, 2.4]),),
            "a beats plain by 2.0 points of test accuracy, at 0.8× to 2.4× the training time.",
            "",
        ),
        (
            (row("a", "better", 0.02, cost_ratio=1.4, macs_ratio=81.0),),
            "a beats plain by 2.0 points of test accuracy, "
            "at 81× the multiply-accumulates of a prediction.",
            "",
        ),
        (
            (EQUAL, row("late", "undecided", 0.2, exploratory=True, reason="added late")),
            "No variant judged makes a difference to plain that matters, "
            "to within your margin of 0.50 points.",
            "swish needs only 0.8× the training time of plain. No verdict on late.",
        ),
        (
            (WORSE, row("gone", "undecided", 0.2, reason="3 of 5 seeds are there")),
            "Nothing judged beats plain.",
            "No verdict on gone.",
        ),
        (
            (OPEN, row("elu", "undecided", 0.002, seeds_to_decide={"from": 30, "to": 60})),
            "Cannot tell yet whether gelu or elu beats plain.",
            "",
        ),
    ],
)
def test_headlines(verdicts: tuple[dict[str, Any], ...], text: str, more: str) -> None:
    (headline,) = answer.headlines(study(*verdicts))
    assert headline.text == text
    assert headline.more == more


def test_who_is_behind_is_not_asked_whether_it_wins() -> None:
    behind = row("x", "undecided", -0.02, ci95=[-0.04, -0.001])
    either = row("y", "undecided", -0.01, ci95=[-0.03, 0.01])
    (headline,) = answer.headlines(study(behind))
    assert headline.text == "Cannot tell yet whether plain beats x."
    (headline,) = answer.headlines(study(*(behind | {"a": f"x{i}"} for i in range(4))))
    assert headline.text == "Cannot tell yet whether plain beats 4 variants."
    (headline,) = answer.headlines(study(behind, either))
    assert headline.text == "Cannot tell yet whether y beats plain, or whether plain beats x."


def test_many_open_questions_are_counted() -> None:
    (headline,) = answer.headlines(study(*(row(f"v{i}", "undecided") for i in range(5))))
    assert headline.text == "Cannot tell yet whether any of 5 variants beats plain."


def test_nothing_to_compare() -> None:
    (alone,) = answer.headlines(study())
    assert alone.text == "No verdict: nothing was compared."
    assert alone.more == "plain scores 80.00\N{NARROW NO-BREAK SPACE}%."
    (empty,) = answer.headlines(parse({}))
    assert empty.text.startswith("There is nothing to compare yet")


def test_a_headline_for_every_level() -> None:
    level: dict[str, Any] = {"data.labels": 200}
    few = row("bn@labels=200", "better", 0.03, level=level) | {"b": "plain@labels=200"}
    found = answer.headlines(study(few, BETTER))
    assert [h.level for h in found] == ["data.labels = 200", ""]
    assert found[0].text == "bn beats plain by 3.0 points of test accuracy."


def test_glance_has_the_control_on_top_and_the_best_first(run: RunFolder) -> None:
    table = answer.glance(run.results)
    names = [cells[0].text for cells in table.rows]
    assert names == ["plain", "resnet20", "batch-norm", "swish", "softmax"]
    assert table.rows[0][3].text == "control"
    best = run.results.verdict("resnet20")
    assert best is not None
    assert table.rows[1][2].value == best.difference
    assert table.rows[1][3].outcome == "better"
    assert table.rows[1][4].note == "7.8× that of plain"


def test_lower_is_better_turns_the_order() -> None:
    scores = {"a": 0.3, "b": 0.2, "plain": 0.4}
    recipes = {n: {"metrics": {"test/log_loss": {"mean": m}}} for n, m in scores.items()}
    results = parse(
        {"control": "plain", "metric": "test/log_loss", "direction": "min", "recipes": recipes}
    )
    assert [cells[0].text for cells in answer.glance(results).rows] == ["plain", "b", "a"]


def test_sentences_begin_with_a_capital_or_a_name() -> None:
    told = [
        row("x", "better", sentence="x beats plain."),
        row("x", "undecided", sentence="cannot tell yet."),
        row("x", "worse"),
    ]
    said = [answer.spoken(verdict) for verdict in study(*told).verdicts]
    assert said == ["x beats plain.", "Cannot tell yet.", "x against plain: worse."]


def test_no_outcome_is_shown_where_there_is_none() -> None:
    late, secondary, sure = study(
        row("x", "better", exploratory=True, reason="late"),
        row("y", "better", reason="too few"),
        BETTER,
    ).verdicts
    assert answer.outcome_cell(late).outcome is None
    assert answer.outcome_cell(late).text == "exploratory"
    assert answer.outcome_cell(secondary).text == "no verdict"
    assert answer.outcome_cell(sure).outcome == "better"
