"""A tiny problem for the loop: 48 images of 2 x 2 pixels in three classes, and NumPy steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.classification import Classification
from bakeoff.core.errors import Interrupted
from bakeoff.core.protocols import Arrays, Batch, LoopPlan, Position, State, Value
from bakeoff.core.streams import Streams
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

TASK = Classification(["a", "b", "c"])
TRAIN, VALIDATION, SIZE = 48, 30, 10
PER_EPOCH = 5
"""Batches: four of 10 examples, one of 8."""


def images(seed: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    centres = np.array([[40, 200, 90, 60], [180, 60, 70, 160], [100, 120, 220, 50]])
    pixels = np.clip(centres[labels] + rng.normal(0, 60, (count, 4)), 0, 255).astype(np.uint8)
    return pixels.reshape(count, 2, 2, 1), labels


@dataclass
class TinyBatches:
    """Training batches, drawn per epoch; `given` notes (epoch, start) of every call."""

    sampling: Literal["shuffle", "random"] = "shuffle"
    per_epoch: int = PER_EPOCH
    given: list[tuple[int, int]] = field(default_factory=list)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        self.given.append((number, start))
        items, labels = images(1, TRAIN)
        draw = Streams(0).generator("order", number)
        order = draw.permutation(TRAIN)
        if self.sampling == "random":
            order = draw.integers(0, TRAIN, TRAIN)
        for index in range(start, self.per_epoch):
            rows = order[index * SIZE : (index + 1) * SIZE]
            yield Batch(items[rows], labels[rows], rows)


def validation() -> Iterator[Batch]:
    items, labels = images(2, VALIDATION)
    for start in (0, 16):
        rows = np.arange(start, min(start + 16, VALIDATION))
        yield Batch(items[rows], labels[rows], rows)


def make_plan(**settings: Any) -> LoopPlan:
    if not settings.keys() & {"epochs", "iterations"}:
        settings["epochs"] = 3
    parsed = TrainingSettings.parse({"learning_rate": 0.5, "checkpoint_seconds": 1e9} | settings)
    return plan(parsed, TinyBatches(), TASK, validation)


Poison = Literal["loss", "infinite loss", "weights"]


@dataclass
class TinyStep:
    """Softmax regression with momentum. `poison` makes an update give numbers that are none."""

    seed: int = 0
    poison: Mapping[int, Poison] = field(default_factory=dict)
    splittable: bool = False
    seen: list[Position] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.weights = rng.normal(0, 0.1, (4, 3)).astype(np.float32)
        self.moment = np.zeros((4, 3), np.float32)
        self.updates = np.array(0)

    def _probabilities(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        inputs = (np.asarray(batch.items).reshape(-1, 4) / 255 - 0.5).astype(np.float32)
        logits = inputs @ self.weights
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return inputs, odds / odds.sum(axis=1, keepdims=True)

    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        self.seen.append(at)
        inputs, odds = self._probabilities(batch)
        rows = np.arange(len(batch.labels))
        loss = float(-np.log(odds[rows, batch.labels]).sum(dtype=np.float64))
        correct = int((odds.argmax(axis=1) == batch.labels).sum())
        errors = odds.copy()
        errors[rows, batch.labels] -= 1
        self.moment *= np.float32(0.9)
        self.moment += inputs.T @ errors / len(rows)
        self.weights -= np.float32(at.learning_rate) * self.moment
        self.updates += 1
        poison = self.poison.get(at.step)
        if poison == "weights":
            self.weights[0, 0] = np.nan
        elif poison:
            loss = float("nan") if poison == "loss" else float("inf")
        return {"loss": loss, "correct": correct, "count": len(rows)}

    def evaluate(self, batch: Batch) -> NDArray[np.float32]:
        return self._probabilities(batch)[1]

    def state(self) -> State:
        return {
            "weights": self.weights.copy(),
            "moment": self.moment.copy(),
            "updates": self.updates.copy(),
        }

    def load(self, state: Arrays) -> None:
        for name in ("weights", "moment", "updates"):
            np.copyto(getattr(self, name), state[name], casting="no")


@dataclass
class ScriptedStep:
    """A step whose validation scores are given: `right[u]` of 30 examples after update u + 1."""

    right: list[int]
    splittable: bool = False
    updates: int = 0

    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        self.updates += 1
        return {"loss": 1.0, "correct": 1, "count": 2}

    def evaluate(self, batch: Batch) -> NDArray[np.float32]:
        right = batch.indices < self.right[self.updates - 1]
        guesses = np.where(right, batch.labels, (batch.labels + 1) % 3)
        return (0.1 + 0.7 * np.eye(3)[guesses]).astype(np.float32)

    def state(self) -> State:
        return {"updates": np.array(self.updates)}

    def load(self, state: Arrays) -> None:
        self.updates = int(state["updates"])


class Killed(BaseException):
    """The process ended; nothing could be saved."""


def stopping_at(*calls: int, error: BaseException | None = None) -> Callable[[], None]:
    """A check between steps that interrupts at the given calls, counted from 1."""
    count = 0

    def check() -> None:
        nonlocal count
        count += 1
        if count in calls:
            raise error or Interrupted(15)

    return check


def bits(state: State) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.items()}


def without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def read_strictly(folder: Path) -> None:
    """Fail where a JSON file below `folder` holds a number that is none."""
    import json

    def refuse(text: str) -> float:
        raise AssertionError(f"{text} in JSON")

    for path in folder.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
