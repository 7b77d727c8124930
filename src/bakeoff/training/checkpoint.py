"""Checkpoints of a loop: arrays as safetensors, the rest as JSON, whole or not at all.

A checkpoint is a folder with `model.safetensors` (the step's state), `best.safetensors` (the best
weights so far, if any), `validated.safetensors` (the state to go back to, if any) and `state.json`
(position, history, hashes of all of them). It is written to a temporary folder, synced and renamed;
the one before it stays until the new one is in place.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from bakeoff.core.arrays import save_arrays
from bakeoff.core.files import (
    canonical_json,
    digest,
    file_digest,
    new_folder,
    pretty_json,
    recover_folder,
)
from bakeoff.core.protocols import State

STATE, BEST, POSITION = "model.safetensors", "best.safetensors", "state.json"
VALIDATED = "validated.safetensors"


@dataclass
class Progress:
    """All of a loop's state that is not in its step."""

    step: int = 0
    finished: bool = False
    best_score: float | None = None
    best_step: int = 0
    diverged_at: int | None = None
    stopped_by: str | None = None
    sums: dict[str, float] = field(default_factory=dict)
    """Training sums since the last validation."""
    stopping: list[float] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """One per validation: what `metrics.jsonl` holds."""
    train_seconds: float = 0.0
    warm_up_seconds: float = 0.0
    compile_seconds: float = 0.0
    """Of `train_seconds`."""
    validated_step: int = 0
    """Where the state to go back to belongs; 0: the beginning."""
    notes: list[str] = field(default_factory=list)
    """What was done to go on, as sentences."""
    fingerprint: dict[str, Any] = field(default_factory=dict)
    """What the bits since the last stop were computed with."""
    stops: list[dict[str, Any]] = field(default_factory=list)
    """One per interruption: the `step` it went on from, and the `fingerprint` until there."""


def save(
    folder: Path,
    state: State,
    best: State | None,
    progress: Progress,
    validated: State | None = None,
) -> None:
    """Write a checkpoint in the place of the one in `folder`.

    Args:
        folder: Of the checkpoint.
        state: The step's.
        best: At its best.
        progress: All else of the loop.
        validated: To go back to; where it is `best` itself, it is written once.

    Raises:
        DiskError: where it cannot be written; the old one is intact then.
    """
    with new_folder(folder) as partial:
        named = {BEST: best, VALIDATED: None if validated is best else validated}
        arrays = {STATE: state} | {name: some for name, some in named.items() if some is not None}
        for name, content in arrays.items():
            save_arrays(partial / name, content)
        hashes = {name: file_digest(partial / name) for name in arrays}
        hashes["progress"] = digest(canonical_json(vars(progress)))
        whole = {"progress": vars(progress), "hashes": hashes}
        (partial / POSITION).write_bytes(pretty_json(whole))


def load(folder: Path) -> tuple[State, State | None, Progress, State | None] | None:
    """What `save` wrote last, or None. A damaged checkpoint counts as none.

    Where no state to go back to was written, the best one takes its place.

    Raises:
        DiskError: where what a kill left half done cannot be put right.
    """
    recover_folder(folder)
    try:
        content = json.loads((folder / POSITION).read_text(encoding="utf-8"))
        hashes = dict(content["hashes"])
        if hashes.pop("progress") != digest(canonical_json(content["progress"])):
            return None
        if any(file_digest(folder / name) != value for name, value in hashes.items()):
            return None
        best = load_file(folder / BEST) if BEST in hashes else None
        validated = load_file(folder / VALIDATED) if VALIDATED in hashes else best
        progress = Progress(**content["progress"])
        return load_file(folder / STATE), best, progress, validated
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
