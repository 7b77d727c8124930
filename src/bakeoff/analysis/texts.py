"""Errors to read: the surest mistakes as texts, and scores by length and by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import shown
from bakeoff.core.examples import Examples
from bakeoff.core.files import pretty_json, write_atomic

MISTAKES = 6
"""Of each recipe."""
EXCERPT = 400
"""Characters of a text that are kept; of a longer one its beginning and its end."""
LENGTHS = 4
"""Groups of texts by their number of words, as equal as ties allow."""
FILE = "texts.json"


@dataclass(frozen=True, eq=False)
class Answers:
    """What a recipe said of m texts.

    Args:
        predictions: (n, m) classes, for n seeds.
        probabilities: (n, m, K).
    """

    predictions: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def write_texts(
    folder: Path,
    scored: Examples,
    classes: Sequence[str],
    answers: Mapping[str, Answers],
) -> None:
    """Write `texts.json` into the artifacts of a study.

    Args:
        folder: The study's `artifacts/`.
        scored: The m texts, all with known labels.
        classes: Names.
        answers: By recipe.
    """
    content = {
        "mistakes": {name: surest_mistakes(scored, classes, a) for name, a in answers.items()},
        "slices": _slices(scored, classes, answers),
    }
    write_atomic(folder / FILE, pretty_json(content))


def surest_mistakes(
    scored: Examples, classes: Sequence[str], answers: Answers
) -> list[dict[str, Any]]:
    """The texts whose wrong class has the greatest mean probability over seeds, surest first."""
    mean = answers.probabilities.mean(axis=0, dtype=np.float64)
    guesses, sureness = mean.argmax(axis=1), mean.max(axis=1)
    wrong = np.flatnonzero(guesses != scored.labels)
    order = wrong[np.argsort(-sureness[wrong].round(6), kind="stable")][:MISTAKES]
    return [
        {
            "id": str(scored.ids[i]),
            "label": classes[scored.labels[i]],
            "prediction": classes[guesses[i]],
            "probability": round(float(sureness[i]), 6),
            "text": excerpt(str(scored.items[i])),
        }
        for i in order
    ]


def excerpt(text: str) -> str:
    """A text on one line, without control characters, cut in its middle where it is long."""
    line = shown(" ".join(text[: 10 * EXCERPT].split()))
    if len(text) > 10 * EXCERPT:
        line += " " + shown(" ".join(text[-10 * EXCERPT :].split()))
    if len(line) <= EXCERPT:
        return line
    return f"{line[: EXCERPT // 2].rstrip()} … {line[-EXCERPT // 2 :].lstrip()}"


def _slices(
    scored: Examples,
    classes: Sequence[str],
    answers: Mapping[str, Answers],
) -> list[dict[str, Any]]:
    """Accuracies of groups of texts: of each recipe the mean over seeds."""
    rows = []
    for by, name, chosen in _groups(scored, classes):
        rows.append(
            {
                "by": by,
                "name": name,
                "count": len(chosen),
                "metric": "accuracy",
                "scores": {
                    recipe: _accuracy(scored.labels[chosen], a, chosen)
                    for recipe, a in answers.items()
                },
            }
        )
    return rows


def _groups(scored: Examples, classes: Sequence[str]) -> list[tuple[str, str, NDArray[np.intp]]]:
    """Kind, name and positions of each group."""
    found = []
    words = np.array([len(str(text).split()) for text in scored.items])
    edges = np.quantile(words, np.arange(1, LENGTHS) / LENGTHS, method="nearest")
    place = np.searchsorted(np.unique(edges), words)  # the edge belongs to the shorter ones
    for group in np.unique(place):
        chosen = np.flatnonzero(place == group)
        least, most = words[chosen].min(), words[chosen].max()
        name = f"{least:,} words" if least == most else f"{least:,} to {most:,} words"
        found.append(("length", name, chosen))
    for label, name in enumerate(classes):
        chosen = np.flatnonzero(scored.labels == label)
        if len(chosen):
            found.append(("class", name, chosen))
    return found


def _accuracy(labels: NDArray[np.int64], answers: Answers, chosen: NDArray[np.intp]) -> float:
    return round(float((answers.predictions[:, chosen] == labels).mean()), 6)
