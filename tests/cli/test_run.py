"""`bakeoff run` and `bakeoff demo`: what they say, how they end, and how they go on."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import PATIENCE, TINY, Caller, attentive, command, environment

from bakeoff.cli import run as run_module
from bakeoff.cli.run import execute
from bakeoff.core.record import read_record
from bakeoff.execution.cores import core_count
from bakeoff.techniques.mlp import Mlp


def test_from_question_to_verdict(bakeoff: Caller, tiny: Path, work: Path) -> None:
    called = bakeoff("run", tiny)
    assert called.code == 0
    out = called.out.splitlines()
    assert out[0] == "Does a hidden layer pay on few digits?"
    assert out[2].split()[:2] == ["recipe", "test/accuracy"]
    assert {line.split()[0] for line in out[3:5]} == {"softmax", "mlp"}
    assert any(line.startswith("- ") and "mlp" in line and "softmax" in line for line in out)
    assert out[-1] == "Report: runs/tiny/report.html"
    assert (work / "runs" / "tiny" / "report.html").exists()
    err = called.err.splitlines()
    assert [line.split()[0] for line in err] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    again = bakeoff("run", tiny)
    assert again.out == called.out, "nothing was repeated"
    assert again.err == "4 cells were finished before\n"


def test_for_machines(bakeoff: Caller, finished: Path, tiny: Path) -> None:
    called = bakeoff("run", tiny, "--out", finished, "--json", "--quiet")
    assert called.err == ""
    assert json.loads(called.out) == json.loads((finished / "results.json").read_text())


def test_quiet(bakeoff: Caller, tiny: Path) -> None:
    called = bakeoff("run", tiny, "-q", "--out", "elsewhere/run")
    assert (called.code, called.err) == (0, "")
    assert called.out.endswith("Report: elsewhere/run/report.html\n")


def test_more_seeds_in_workers(bakeoff: Caller, finished: Path, tiny: Path) -> None:
    called = bakeoff("run", tiny, "--out", finished, "--seeds", "3", "--jobs", "2")
    assert called.code == 0
    lines = called.err.splitlines()
    if core_count() > 1:  # all threads there are, for each
        warning = lines.pop(0)
        assert "2 cells at a time" in warning
        assert "--set numerics.threads=" in warning
    assert lines[0] == "4 cells were finished before"
    assert sorted(line.split()[1] for line in lines[1:]) == ["mlp/seed-2:", "softmax/seed-2:"]
    assert [line.split()[0] for line in lines[1:]] == ["[1/2]", "[2/2]"]


def test_workers_that_have_cores_of_their_own_are_no_news(
    bakeoff: Caller, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.execution.cores.core_count", lambda: 2)
    options = ["--jobs", "2", "--set", "numerics.threads=1"]
    assert "cells at a time" not in bakeoff("run", tiny, *options).err


def test_threads_of_variants_and_levels_count(
    bakeoff: Caller, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.execution.cores.core_count", lambda: 2)
    one = TINY.replace("{name: softmax", "{numerics: {threads: 1}, name: softmax")
    one = one.replace("exactly: 2", "exactly: 1")
    for more in ("  more: {numerics.threads: 2}\n", "factors: {numerics.threads: [1, 2]}\n"):
        tiny.write_text(one + more, encoding="utf-8")
        called = bakeoff("run", tiny, "--jobs", "2", "--out", more.split(":")[0].strip())
        assert called.code == 0, called
        assert "2 cells at a time, with up to 2 threads each" in called.err


def test_settings(bakeoff: Caller, tiny: Path, work: Path) -> None:
    pairs = ["--set", "training.epochs=2", "--set", "variants.mlp.model.hidden=[4]"]
    options = ["--seeds", "1", "--device", "cpu", "--offline", "--json", "-q"]
    found = json.loads(bakeoff("run", tiny, *pairs, *options).out)
    recipes = found["recipes"]
    assert recipes["softmax"]["recipe"]["training"]["epochs"] == 2
    assert recipes["mlp"]["recipe"]["model"]["hidden"] == [4]
    assert recipes["mlp"]["recipe"]["numerics"]["device"] == "cpu"
    assert recipes["mlp"]["seeds"] == [0]


def test_demo(bakeoff: Caller, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(run_module, "execute", lambda s, **given: asked.append((s.name, given)))
    rest = {"jobs": 2, "quiet": True, "as_json": False}
    images = ("digits-first", {"out": Path("x"), **rest})
    options = ("--out", "x", "--jobs", "2", "-q")
    assert bakeoff("demo", *options).code == 0
    assert asked == [images, ("reviews-first", {"out": Path("x-text"), **rest})]
    asked.clear()
    assert bakeoff("demo", "--only", "text", *options).code == 0
    assert asked == [("reviews-first", {"out": Path("x"), **rest})]
    monkeypatch.setattr(run_module, "execute", execute)
    monkeypatch.setattr(run_module, "DEMO", str(tiny))
    assert bakeoff("demo", "--only", "images").out.endswith("Report: runs/tiny/report.html\n")


def test_demo_says_what_its_text_half_lacks(
    bakeoff: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(run_module, "execute", lambda s, **given: asked.append(s.name))
    monkeypatch.setattr(run_module, "find_spec", lambda name: None)
    called = bakeoff("demo", "-q")
    assert (called.code, asked) == (0, ["digits-first"])
    assert called.err == (
        "bakeoff: the text half needs the extra samples: pip install 'bakeoff[samples]'\n"
    )
    called = bakeoff("demo", "--only", "text")
    assert called.code == 2
    assert "--only text: the text half needs the extra samples" in called.err


def test_a_verdict_may_be_required(bakeoff: Caller, tiny: Path) -> None:
    text = TINY.replace("margin: 0.01", "margin: 0")
    text = text.replace("variants:", "variants:\n  twin: {training.learning_rate: 0.0051}")
    tiny.write_text(text, encoding="utf-8")
    called = bakeoff("run", tiny, "--require-verdict")
    assert called.code == 3
    assert "twin" in called.out
    assert called.out.endswith("Report: runs/tiny/report.html\n")
    assert bakeoff("run", tiny).code == 0


def test_a_verdict_that_is_there(bakeoff: Caller, tiny: Path) -> None:
    text = TINY.replace("technique: softmax, training: {epochs: 1}", "technique: majority")
    text = text.replace("{exactly: 2}", "{exactly: 3}")
    text = text[: text.index("  mlp:")] + "  knn: {technique: knn}\n"
    tiny.write_text(text, encoding="utf-8")
    called = bakeoff("run", tiny, "--require-verdict")
    assert called.code == 0, called
    assert "- knn beats softmax" in called.out


def test_the_control_run_again_is_asked_for_no_verdict(bakeoff: Caller, tiny: Path) -> None:
    text = TINY.replace("technique: softmax, training: {epochs: 1}", "technique: majority")
    text = text.replace("{exactly: 2}", "{exactly: 3}")
    text = text[: text.index("  mlp:")] + "  knn: {technique: knn}\n  again: {}\n"
    tiny.write_text(text, encoding="utf-8")
    called = bakeoff("run", tiny, "--require-verdict", "--out", "out")
    assert "no verdict on again against softmax" in called.out
    assert called.code == 0, called


def test_a_cell_that_fails(
    bakeoff: Caller, tiny: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the network fell over")

    with monkeypatch.context() as patch:
        patch.setattr(Mlp, "fit", fail)
        called = bakeoff("run", tiny)
    assert called.code == 1
    assert "Traceback" not in called.err
    assert "bakeoff: mlp/seed-0: failed: RuntimeError: the network fell over" in called.err
    assert "mlp: no result for seed 0, 1." in called.out
    failure = work / "runs" / "tiny" / "cells" / "mlp" / "seed-0" / "failure.txt"
    assert "Traceback" in failure.read_text(encoding="utf-8")
    again = bakeoff("run", tiny)
    assert again.code == 0, "what failed is tried again, the rest is not repeated"
    assert "2 cells were finished before" in again.err
    assert not failure.exists()


LONG = """\
question: Can it be stopped?
dataset: digits
margin: 0.01
seeds: {exactly: 1}
control: {name: softmax, technique: softmax, training: {epochs: EPOCHS}}
variants:
  majority: {technique: majority}
"""


def interrupted(study: Path, number: signal.Signals, work: Path) -> tuple[int, str]:
    """Exit code and stderr of a run that gets a signal while it trains."""
    process = subprocess.Popen(
        attentive(command("run", study, "--set", "training.checkpoint_seconds=1000")),
        cwd=work,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    cell = work / "runs" / study.stem / "cells" / "softmax" / "seed-0"
    end = time.monotonic() + PATIENCE
    while not (cell / "recipe.yaml").exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert out == ""
    return process.returncode, err


def test_signals(work: Path) -> None:
    """Stopped thrice by three signals, a run goes on each time, and ends as if it never was."""
    study = work / "long.yaml"
    study.write_text(LONG.replace("EPOCHS", "100000"), encoding="utf-8")
    cell = work / "runs" / "long" / "cells" / "softmax" / "seed-0"
    steps = []
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        (cell / "recipe.yaml").unlink(missing_ok=True)
        ended, err = interrupted(study, number, work)
        assert ended == code
        assert "Traceback" not in err
        last = err.splitlines()[-1]
        assert last == (
            f"bakeoff: interrupted by signal {number.value}; run the same command to continue"
        )
        state = json.loads((cell / "checkpoints" / "last" / "train" / "state.json").read_text())
        steps.append(state["progress"]["step"])
        assert read_record(cell) is None
    assert 0 < steps[0] < steps[1] < steps[2]


def test_resumed_ends_as_if_unbroken(bakeoff: Caller, work: Path) -> None:
    study = work / "long.yaml"
    study.write_text(LONG.replace("EPOCHS", "600"), encoding="utf-8")
    code, _ = interrupted(study, signal.SIGTERM, work)
    assert code == 143
    pair = ["--set", "training.checkpoint_seconds=1000"]
    called = bakeoff("run", study, *pair)
    assert called.code == 0
    unbroken = bakeoff("run", study, *pair, "--out", "unbroken")
    assert unbroken.code == 0
    name = Path("cells", "softmax", "seed-0")
    record = read_record(work / "runs" / "long" / name)
    assert record is not None
    assert [stop.bit_equal for stop in record.interruptions] == [True]
    for file in ("predictions/test.csv", "checkpoints/best/model.safetensors"):
        there = (work / "runs" / "long" / name / file).read_bytes()
        assert there == (work / "unbroken" / name / file).read_bytes()
