"""How long a study's control takes to its test score: cold, and by the clock of speed records.

    python benchmarks/clock.py --device cuda                     the study speedrun, five seeds
    python benchmarks/clock.py --seeds 2 --set data.labels=1000 --set training.epochs=1

Two clocks, told beside each other:

- `cold`: `bakeoff run STUDY --only CONTROL` with one seed as a process of its own, with no programs
  compiled and nothing cached before: from its start to its end, so loading libraries, reading and
  checking images, compiling, validation, the test score and the report are in it;
- `record`: the seconds of training of every seed in a second process, which finds the programs
  of the first, without what it compiled and its first update. Images lie on the device by then, and
  the test score is no part of it, as in the programs that hold the records of CIFAR-10; validation
  is, where the study has it.

The results go to `benchmarks/results/clock.json` under study and device. Exit code 1 where a
target that was given (`--least-score`, `--record-seconds`, `--cold-seconds`) is missed on average.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bakeoff import load_study
from bakeoff.core.record import Record
from bakeoff.study.folder import open_folder

RESULTS = Path(__file__).parent / "results" / "clock.json"


def main() -> int:
    """Run both clocks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="speedrun")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--least-score", type=float, default=None)
    parser.add_argument("--record-seconds", type=float, default=None)
    parser.add_argument("--cold-seconds", type=float, default=None)
    given = parser.parse_args()
    study = load_study(given.study)
    with tempfile.TemporaryDirectory() as work:
        os.environ |= {"BAKEOFF_STATE": work, "BAKEOFF_CACHE": f"{work}/cache"}
        began = time.perf_counter()
        run(given, study.control_name, Path(work) / "cold", 1)
        cold_seconds = time.perf_counter() - began
        run(given, study.control_name, Path(work) / "warm", given.seeds)
        records = [*open_folder(Path(work) / "warm").records[study.control_name].values()]
    told = figures(study.metric, cold_seconds, records)
    print(json.dumps(told, indent=1))
    written = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    name = " ".join([given.study, str(records[0].fingerprint["device"]), *given.settings])
    RESULTS.write_text(json.dumps(written | {name: told}, indent=1) + "\n")
    return 1 if missed(given, told) else 0


def run(given: argparse.Namespace, control: str, folder: Path, seeds: int) -> None:
    """`bakeoff run` of the control alone into a folder."""
    pairs = [f"seeds={json.dumps({'exactly': seeds})}", *given.settings]
    settings = [part for pair in pairs for part in ("--set", pair)]
    start = [sys.executable, "-c", "from bakeoff.cli import main; main()"]
    subprocess.run(
        [*start, "run", given.study, "--only", control, "--device", given.device, "--quiet",
         "--out", str(folder), *settings],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def figures(metric: str, cold_seconds: float, records: list[Record]) -> dict[str, Any]:
    """What both clocks show, and what was scored by them."""
    clock = [r.cost.train_seconds - r.cost.compile_seconds for r in records]
    scores = [record.metrics[metric] for record in records]
    return {
        "cold_seconds": round(cold_seconds, 2),
        "record_seconds": {"mean": round(statistics.mean(clock), 3), "each": clock},
        metric: {"mean": statistics.mean(scores), "each": scores},
        "compile_seconds": [record.cost.compile_seconds for record in records],
        "warm_up_seconds": [record.cost.warm_up_seconds for record in records],
        "fingerprint": records[0].fingerprint,
    }


def missed(given: argparse.Namespace, told: dict[str, Any]) -> bool:
    """Whether a target is."""
    score = told[load_study(given.study).metric]["mean"]
    if given.least_score is not None and score < given.least_score:
        return True
    seconds = (
        (told["record_seconds"]["mean"], given.record_seconds),
        (told["cold_seconds"], given.cold_seconds),
    )
    return any(most is not None and taken > most for taken, most in seconds)


if __name__ == "__main__":
    sys.exit(main())
