"""Kill a study at random moments, run it again, and compare with an undisturbed run.

    python benchmarks/kills.py [--study digits-first] [--kills 50] [--set FIELD=VALUE ...]
    python benchmarks/kills.py --study benchmarks/kills-resnet20.yaml --kills 12

Every attempt is `bakeoff run STUDY --out DIR` as a process of its own, ended by SIGKILL after a
random time, until one ends by itself; then a new folder is begun, until there were enough kills.
Checked for every finished folder: weights and predictions of every cell are byte-equal to the
undisturbed run's, and no cell that was finished before a kill was run again (its record kept its
bytes and its time of writing). Prints one line of JSON; exits with 1 where anything differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMPARED = ("model.safetensors", "validation.csv", "test.csv")


def main() -> int:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="digits-first")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as work:
        os.environ["BAKEOFF_STATE"] = work
        first, reference = Path(work) / "first", Path(work) / "undisturbed"
        for folder in (first, reference):  # the second finds what the first compiled
            began = time.monotonic()
            finish(command(given, folder), None)
        seconds = time.monotonic() - began
        kills = runs = attempts = 0
        faults = differing(first, reference)
        while kills < given.kills:
            runs += 1
            folder = Path(work) / f"killed-{runs}"
            done: dict[str, tuple[int, bytes]] = {}
            ended = False
            while not ended:
                left = given.kills - kills
                wait = draw.uniform(0, seconds) if left else None
                ended = finish(command(given, folder), wait)
                attempts += 1
                kills += not ended
                faults += repeated(folder, done)
            faults += differing(reference, folder)
            print(f"{kills} kills, {runs} folders finished, {len(faults)} faults", file=sys.stderr)
        told = {
            "study": given.study, "kills": kills, "runs": runs, "attempts": attempts,
            "undisturbed_seconds": round(seconds, 1), "cells": len(compared(reference)) // 3,
            "faults": faults,
        }  # fmt: skip
        print(json.dumps(told))
    return 1 if faults else 0


def command(given: argparse.Namespace, folder: Path) -> list[str]:
    """`bakeoff run` into a folder."""
    settings = [part for pair in given.settings for part in ("--set", pair)]
    start = [sys.executable, "-c", "from bakeoff.cli import main; main()"]
    return [*start, "run", given.study, "--out", str(folder), "--json", *settings]


def finish(arguments: list[str], wait_seconds: float | None) -> bool:
    """Run to the end, or kill after a time; whether it ended by itself, with success."""
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, process_group=0
    )
    try:
        _, errors = process.communicate(timeout=wait_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    if process.returncode != 0:
        raise SystemExit(f"exit code {process.returncode}: {errors.decode()}")
    return True


def compared(folder: Path) -> dict[str, bytes]:
    """The bytes of all weights and predictions of finished cells."""
    files = (p for p in folder.glob("cells/*/*/**/*") if p.name in COMPARED)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(files)}


def differing(reference: Path, folder: Path) -> list[str]:
    """Files that are not byte-equal, or missing."""
    a, b = compared(reference), compared(folder)
    return [f"{folder.name}/{name}: differs" for name in {*a, *b} if a.get(name) != b.get(name)]


def repeated(folder: Path, done: dict[str, tuple[int, bytes]]) -> list[str]:
    """Records that were written again; remembers those that are new."""
    faults = []
    for path in folder.glob("cells/*/*/record.json"):
        now = (path.stat().st_mtime_ns, path.read_bytes())
        name = path.relative_to(folder).as_posix()
        if done.setdefault(name, now) != now:
            faults.append(f"{folder.name}/{name}: was run again")
    return faults


if __name__ == "__main__":
    sys.exit(main())
