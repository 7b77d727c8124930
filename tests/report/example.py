"""A run folder like one a study leaves: five recipes, five seeds, pictures, all made up."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bakeoff.core.classification import Classification
from bakeoff.core.files import canonical_json, digest, pretty_json, write_atomic
from bakeoff.core.record import Record

CLASSES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SEEDS = (0, 1, 2, 3, 4)
TEST, VALIDATION = 600, 300
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sketch:
    """How a made-up recipe behaves."""

    name: str
    technique: str
    changed: Mapping[str, Any]
    skill: float
    cost: Mapping[str, Any]
    epochs: int


CNN = {
    "model": {"name": "simple-cnn", "batch_norm": False, "activation": "relu"},
    "training": {"epochs": 10, "batch_size": 256, "optimizer": "sgd", "learning_rate": 0.05},
}
SKETCHES = (
    Sketch("plain", "cnn", {}, 3.05, {"parameters": 62_006, "macs": 3_400_000, "seconds": 21}, 10),
    Sketch(
        "batch-norm",
        "cnn",
        {"model.batch_norm": True},
        3.2,
        {"parameters": 62_262, "macs": 3_460_000, "seconds": 27},
        10,
    ),
    Sketch(
        "swish",
        "cnn",
        {"model.activation": "swish"},
        3.08,
        {"parameters": 62_006, "macs": 3_400_000, "seconds": 24},
        10,
    ),
    Sketch(
        "resnet20",
        "cnn",
        {"model": {"name": "resnet20"}},
        3.42,
        {"parameters": 272_474, "macs": 31_000_000, "seconds": 164},
        10,
    ),
    Sketch(
        "softmax",
        "softmax",
        {"technique": "softmax"},
        1.9,
        {"parameters": 7_850, "macs": 7_840, "seconds": 1.3},
        20,
    ),
)
OUTCOMES = {
    "batch-norm": "better",
    "swish": "undecided",
    "resnet20": "better",
    "softmax": "worse",
}


def write_run(folder: Path, *, pictures: bool = True) -> Path:
    """Write the run folder."""
    records = {s.name: [_cell(folder, s, seed) for seed in SEEDS] for s in SKETCHES}
    write_atomic(folder / "study.yaml", _study().encode())
    write_atomic(folder / "results.json", pretty_json(_results(records)))
    if pictures:
        _disagreements(folder)
    return folder


def _resolved(sketch: Sketch) -> dict[str, Any]:
    data = {"set": "fashion-mnist", "classes": None, "labels": "all", "validation": 0.1}
    numerics = {"device": "cpu", "precision": "float32", "threads": 2, "deterministic": True}
    sections: dict[str, Any] = json.loads(json.dumps(CNN))
    if sketch.technique == "softmax":
        sections = {"training": {"epochs": 20, "batch_size": 128, "learning_rate": 0.1}}
    for path, value in sketch.changed.items():
        head, _, tail = path.partition(".")
        if tail:
            sections[head][tail] = value
        elif head != "technique":
            sections[head] = value
    return {"technique": sketch.technique, "data": data, "numerics": numerics, **sections}


def _scores(sketch: Sketch, seed: int, split: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels (N,) and probabilities (N, K): items are as hard for one recipe as for another."""
    count = TEST if split == "test" else VALIDATION
    place = 0 if split == "test" else 1 + seed
    shared = np.random.default_rng([7, place])
    labels = shared.integers(0, 10, count)
    hard = shared.normal(0, 1.4, count)
    rival = (labels + shared.choice([2, 4, 6], count)) % 10
    own = np.random.default_rng([11, place, seed, SKETCHES.index(sketch)])
    logits = own.normal(0, 0.6, (count, 10))
    rows = np.arange(count)
    logits[rows, labels] += sketch.skill + own.normal(0, 0.05) - hard
    logits[rows, rival] += 1.1
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels, (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def _cell(folder: Path, sketch: Sketch, seed: int) -> Record:
    task = Classification(CLASSES)
    cell = folder / "cells" / sketch.name / f"seed-{seed}"
    metrics: dict[str, float] = {}
    files: dict[str, str] = {}
    for split in ("validation", "test"):
        labels, shares = _scores(sketch, seed, split)
        ids = np.array([f"{split}-{i:05d}" for i in range(len(labels))])
        table = task.table(ids, labels, shares)
        data = task.write(table)
        write_atomic(cell / "predictions" / f"{split}.csv", data)
        files[f"predictions/{split}.csv"] = digest(data)
        metrics |= {f"{split}/{name}": v for name, v in task.metrics(table).items()}
    metrics["train/accuracy"] = min(1.0, metrics["validation/accuracy"] + 0.03)
    rows = _curve(sketch, seed, metrics)
    lines = b"".join(canonical_json(row) + b"\n" for row in rows)
    write_atomic(cell / "metrics.jsonl", lines)
    files["metrics.jsonl"] = digest(lines)
    rng = np.random.default_rng([3, seed, SKETCHES.index(sketch)])
    content = {
        "name": sketch.name,
        "key": digest(f"{sketch.name}{seed}".encode())[:16],
        "technique_version": 1,
        "recipe": _resolved(sketch),
        "replicate": {"seed": seed},
        "task": "classification",
        "classes": CLASSES,
        "hashes": {name: digest(name.encode()) for name in ("data", "split", "test")},
        "sizes": {"train": 54_000, "validation": VALIDATION, "test": TEST},
        "status": "done",
        "steps": sketch.epochs * 211,
        "selected_step": (sketch.epochs - 1) * 211,
        "test_opened": 1,
        "test_ledger": 9,
        "metrics": metrics,
        "cost": {
            "parameters": sketch.cost["parameters"],
            "trained_parameters": sketch.cost["parameters"],
            "macs_per_example": sketch.cost["macs"],
            "train_seconds": sketch.cost["seconds"] * float(rng.uniform(0.95, 1.05)),
            "peak_bytes": int(2e8 + 300 * sketch.cost["parameters"]),
        },
        "fingerprint": {"python": "3.11.7", "threads": 2},
        "source": {"commit": "0" * 40, "uncommitted": None},
        "files": files,
    }
    record = Record.model_validate(content)
    record.write(cell)
    return record


def _curve(sketch: Sketch, seed: int, metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    rng = np.random.default_rng([5, seed, SKETCHES.index(sketch)])
    rows = []
    for epoch in range(1, sketch.epochs + 1):
        left = float(np.exp(-3.2 * epoch / sketch.epochs)) * (1 + 0.08 * rng.normal())
        loss = metrics["validation/log_loss"] * (1 + 1.6 * left) + 0.01 * rng.normal()
        share = metrics["validation/accuracy"] - 0.3 * left + 0.003 * rng.normal()
        rows.append(
            {
                "phase": "train",
                "step": epoch * 211,
                "epoch": float(epoch),
                "seconds": round(sketch.cost["seconds"] * epoch / sketch.epochs, 3),
                "learning_rate": 0.05 * (1 + float(np.cos(np.pi * epoch / sketch.epochs))) / 2,
                "train/loss": loss * 0.9 - 0.1 * (1 - left),
                "train/accuracy": min(1.0, share + 0.03),
                "validation/log_loss": loss,
                "validation/accuracy": share,
            }
        )
    return rows


def _summary(values: Floats) -> dict[str, Any]:
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    half = 2.776445 * sd / len(values) ** 0.5
    ends = [mean - half, mean + half]
    return {"values": values.tolist(), "mean": mean, "sd": sd, "ci95": ends}


def _recipe(sketch: Sketch, records: list[Record]) -> dict[str, Any]:
    names = [name for name in records[0].metrics if name != "train/accuracy"]
    cost = records[0].cost
    return {
        "technique": sketch.technique,
        "changed": dict(sketch.changed),
        "recipe": _resolved(sketch),
        "seeds": list(SEEDS),
        "failed": [],
        "keys": [r.key for r in records],
        "statuses": {str(r.replicate.seed): r.status for r in records},
        "metrics": {n: _summary(np.array([r.metrics[n] for r in records])) for n in names},
        "cost": {
            "parameters": cost.parameters,
            "trained_parameters": cost.trained_parameters,
            "macs_per_example": cost.macs_per_example,
            "train_seconds": float(np.mean([r.cost.train_seconds for r in records])),
            "peak_bytes": cost.peak_bytes,
            "upstream_seconds": 0.0,
            "tuning_seconds": 0.0,
        },
    }


def _verdict(name: str, records: Mapping[str, list[Record]]) -> dict[str, Any]:
    def scores(recipe: str) -> Floats:
        return np.array([record.metrics["test/accuracy"] for record in records[recipe]])

    d = scores(name) - scores("plain")
    mean, outcome = float(d.mean()), OUTCOMES[name]
    half = 2.776445 * float(d.std(ddof=1)) / 5**0.5
    wide = float(np.hypot(half, 0.011))
    undecided = outcome == "undecided"
    seconds = {s.name: s.cost["seconds"] for s in SKETCHES}
    said = "cannot tell yet: " if undecided else ""
    verb = {"better": "beats", "worse": "loses to"}.get(outcome, "is ahead of")
    return {
        "a": name,
        "b": "plain",
        "level": {},
        "metric": "test/accuracy",
        "difference": mean,
        "ci95": [mean - wide, mean + wide],
        "ci_this_test_set": [mean - half, mean + half],
        "p_value": 0.21 if undecided else 0.00003,
        "p_corrected": 0.42 if undecided else 0.00012,
        "p_equivalence": 0.31,
        "look": 1,
        "alpha_spent": 0.03,
        "outcome": outcome,
        "exploratory": False,
        "cost_ratio": seconds[name] / seconds["plain"],
        "cost_ratio_ci95": [
            0.9 * seconds[name] / seconds["plain"],
            1.1 * seconds[name] / seconds["plain"],
        ],
        "macs_ratio": None,
        "seeds_to_decide": {"from": 10, "to": 20} if undecided else None,
        "examples_to_decide": None,
        "limited_by": "seeds" if undecided else None,
        "reason": None,
        "sentence": f"{said}{name} {verb} plain by {abs(mean) * 100:.1f} points of test accuracy "
        f"(95 % interval {(mean - wide) * 100:.1f} to {(mean + wide) * 100:.1f}, 5 paired seeds), "
        "for these settings, over seeds, on new examples like the test examples.",
    }


def _results(records: Mapping[str, list[Record]]) -> dict[str, Any]:
    return {
        "schema": 1,
        "study": "small-cnn",
        "question": "Does batch norm pay for itself in the small CNN?",
        "metric": "test/accuracy",
        "direction": "max",
        "control": "plain",
        "recipes": {s.name: _recipe(s, records[s.name]) for s in SKETCHES},
        "margin": 0.005,
        "population": "new examples like the test examples; these recipes; seeds",
        "verdicts": [_verdict(s.name, records) for s in SKETCHES[1:]],
        "dataset": {
            "name": "fashion-mnist",
            "modality": "image",
            "classes": list(CLASSES),
            "sizes": {"train": 60_000, "validation": VALIDATION, "test": TEST},
            "hash": digest(b"data"),
            "test_hash": digest(b"test"),
            "notes": ["Made up for the tests: labels are drawn, pictures are painted."],
        },
        "references": [{"label": "a published net", "value": 0.84, "source": "Made up (2024)"}],
        "ledger": {"test_hash": digest(b"test"), "recipes": 9},
        "environment": {"python": "3.11.7", "numpy": "2.0", "processor": "a processor", "cores": 2},
        "noise_floor": 0.0082,
        "seeds_planned": 5,
        "costs_alone": True,
    }


def _study() -> str:
    return (
        "question: Does batch norm pay for itself in the small CNN?\n"
        "dataset: fashion-mnist\nmetric: test/accuracy\nmargin: 0.005\nseeds: 5\n"
        "control:\n  name: plain\n  technique: cnn\n"
        "variants:\n  batch-norm: {model.batch_norm: true}\n  swish: {model.activation: swish}\n"
        "  resnet20: {model: {name: resnet20}}\n  softmax: {technique: softmax}\n"
    )


def png(seed: int, size: int = 28) -> bytes:
    """A small picture that looks like something."""
    rng = np.random.default_rng([13, seed])
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    wide, tall = rng.uniform(0.4, 0.8, 2)
    body = np.clip(1.4 - (np.abs(x / wide) ** 4 + np.abs(y / tall) ** 4), 0, 1)
    shade = 0.75 + 0.25 * np.sin(rng.uniform(3, 9) * x + rng.uniform(2, 6) * y)
    pixels = np.clip(255 * body * shade + rng.normal(0, 6, body.shape), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _disagreements(folder: Path) -> None:
    predictions = {s.name: [_scores(s, seed, "test") for seed in SEEDS] for s in SKETCHES}
    labels = predictions["plain"][0][0]
    right = {
        name: sum((shares.argmax(axis=1) == labels).astype(int) for _, shares in runs)
        for name, runs in predictions.items()
    }
    spread = np.ptp(np.array(list(right.values())), axis=0)
    items = []
    for number, i in enumerate(np.argsort(-spread, kind="stable")[:9].tolist()):
        image = f"artifacts/disagreements/{number}.png"
        write_atomic(folder / image, png(i))
        guesses = {}
        for name, runs in predictions.items():
            votes = np.bincount([int(shares[i].argmax()) for _, shares in runs], minlength=10)
            guesses[name] = {
                "prediction": CLASSES[int(votes.argmax())],
                "right": int(right[name][i]),
                "seeds": len(SEEDS),
            }
        label = CLASSES[int(labels[i])]
        item = {"id": f"test-{i:05d}", "label": label, "image": image, "text": None}
        items.append(item | {"predictions": guesses})
    write_atomic(folder / "artifacts" / "disagreements.json", pretty_json(items))


def write_folded_run(folder: Path) -> Path:
    """Two recipes on three folds, cut twice; the better one scored on test. Results and records."""
    folds = [{"repeat": repeat, "fold": fold} for repeat in range(2) for fold in range(3)]
    labels = [f"0{start}.fold-{fold}" for start in ("", ".repeat-1") for fold in range(3)]
    rows = {"plain": [0.80, 0.82, 0.81, 0.79, 0.83, 0.80], "wide": [0.85, 0.86, 0.88, 0.84, 0.87]}
    recipes = {}
    for name, values in rows.items():
        score = {"values": values, "mean": float(np.mean(values)), "sd": 0.01, "ci95": [0.7, 0.9]}
        done = len(values)
        recipes[name] = {
            "technique": "mlp",
            "seeds": [0],
            "folds": folds[:done],
            "cells": labels[:done],
            "failed": labels[done:],
            "statuses": ["done"] * (done - 1) + ["diverged"],
            "metrics": {"fold/accuracy": score},
            "recipe": {"technique": "mlp"},
            "cost": {"train_seconds": 1.0, "parameters": 100},
        }
    verdict = {"a": "wide", "b": "plain", "metric": "fold/accuracy", "difference": 0.05}
    verdict |= {"ci95": [0.02, 0.08], "outcome": "better", "sentence": "wide beats plain."}
    content = {
        "study": "folded",
        "question": "How wide?",
        "metric": "fold/accuracy",
        "control": "plain",
        "recipes": recipes,
        "margin": 0.01,
        "verdicts": [verdict],
        "resampling": {"folds": 3, "repeats": 2, "seed": 0, "then_test": True},
        "ledger": {"recipes": 4},
        "final": {
            "recipe": "wide",
            "sentence": "chosen by 3-fold cross-validation: wide.",
            "metrics": {"test/accuracy": 0.8123, "test/log_loss": 0.5},
            "failed": [1],
        },
    }
    folder.mkdir(parents=True)
    write_atomic(folder / "results.json", pretty_json(content))
    return folder
