"""`bakeoff predict` and `bakeoff score`: from a run's folder to a predictions file and back."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.calling import Caller, assert_clear

from bakeoff.core.table import read_csv
from bakeoff.data import catalogue


def test_the_same_as_the_run(bakeoff: Caller, finished: Path, work: Path) -> None:
    called = bakeoff("predict", f"{finished}:mlp:1", "digits", "-o", "out.csv")
    assert called.code == 0
    assert called.out == ""
    assert called.err == "out.csv: 898 predictions\n"
    of_the_run = finished / "cells" / "mlp" / "seed-1" / "predictions" / "test.csv"
    assert (work / "out.csv").read_bytes() == of_the_run.read_bytes()
    again = bakeoff("predict", finished / "cells" / "mlp" / "seed-1", "digits", "-o", "again.csv")
    assert again.code == 0
    assert (work / "again.csv").read_bytes() == of_the_run.read_bytes()


def test_offline_fetches_nothing(bakeoff: Caller, finished: Path, work: Path) -> None:
    called = bakeoff("predict", f"{finished}:mlp:1", "cifar10", "-o", "out.csv", "--offline")
    assert "downloads are off" in assert_clear(called)


def pictures(folder: Path) -> None:
    test = catalogue.load("digits").test
    assert test is not None
    items = np.asarray(test.items)
    for i in range(6):
        path = folder / str(test.labels[i]) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(items[i, :, :, 0]).save(path)


def test_folder_of_images(bakeoff: Caller, finished: Path, work: Path) -> None:
    pictures(work / "new")
    assert bakeoff("predict", f"{finished}:softmax", "new", "-o", "deep/out.csv").code == 0
    columns = read_csv(work / "deep" / "out.csv")
    assert columns["label"] == [name.split("/")[0] for name in columns["id"]]
    assert len(columns["prediction"]) == 6


def test_submission(bakeoff: Caller, finished: Path, work: Path) -> None:
    pictures(work / "new")
    sample = work / "sample_submission.csv"
    sample.write_text("ImageId,Label\n" + "".join(f"{i},0\n" for i in range(6)))
    arguments = ["predict", f"{finished}:softmax", "new", "-o", "out.csv"]
    assert bakeoff(*arguments, "--submission", sample).code == 0
    written = read_csv(work / "out.csv")
    assert list(written) == ["ImageId", "Label"]
    assert written["ImageId"] == ["0", "1", "2", "3", "4", "5"]


def test_submission_as_the_sample_writes_it(bakeoff: Caller, finished: Path, work: Path) -> None:
    """Files of a competition: numbered from 1, 10 behind 9, classes by name or by index."""
    test = catalogue.load("digits").test
    assert test is not None
    for i in range(12):
        path = work / "new" / f"{i + 1}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.asarray(test.items)[i, :, :, 0]).save(path)
    arguments = ["predict", f"{finished}:softmax", "new", "-o"]
    assert bakeoff(*arguments, "plain.csv").code == 0
    plain = read_csv(work / "plain.csv")
    assert plain["id"] == [f"{i}.png" for i in range(1, 13)]
    sample = work / "sample.csv"
    sample.write_text("id,label\n" + "".join(f"{i},7\n" for i in range(12, 0, -1)))
    called = bakeoff(*arguments, "out.csv", "--submission", sample)
    assert called.err == "out.csv: 12 predictions\n"
    written = read_csv(work / "out.csv")
    assert written == {"id": [str(i) for i in range(12, 0, -1)], "label": plain["prediction"][::-1]}
    sample.write_text("id,label\n3,7\n")
    called = bakeoff(*arguments, "out.csv", "--submission", sample, "--labels", "indices")
    assert called.err == (
        "bakeoff: 11 predicted items are not in sample.csv and left out\n"
        "bakeoff: classes are written as indices (0 = 0, 1 = 1, 2 = 2, ...)\n"
        "out.csv: 1 prediction\n"
    ).replace("sample.csv", str(sample))


def test_columns_are_of_tables(bakeoff: Caller, finished: Path, work: Path) -> None:
    pictures(work / "new")
    called = bakeoff("predict", f"{finished}:softmax", "new", "-o", "out.csv", "--text", "headline")
    assert "--text: received, but new is no table" in assert_clear(called)
    assert not (work / "out.csv").exists()


def test_arrays_and_resizing(bakeoff: Caller, finished: Path, work: Path) -> None:
    test = catalogue.load("digits").test
    assert test is not None
    np.savez(work / "new.npz", images=np.asarray(test.items))
    run = f"{finished}:softmax"
    assert bakeoff("predict", run, "new.npz", "-o", "array.csv").code == 0
    assert bakeoff("predict", run, "digits", "-o", "set.csv").code == 0
    found, whole = read_csv(work / "array.csv"), read_csv(work / "set.csv")
    assert found["id"] == [str(i) for i in range(898)]
    assert found | {name: whole[name] for name in ("id", "label")} == whole
    Image.new("RGB", (40, 20), "red").save(work / "wide.png")
    called = bakeoff("predict", run, "wide.png", "-o", "out.csv", "--resize")
    assert called.err == (
        "bakeoff: 1 image in colour brought to grey, as was learnt (e.g. wide.png)\n"
        "out.csv: 1 prediction\n"
    )


def test_nothing_is_written_over_what_is_read(bakeoff: Caller, finished: Path, work: Path) -> None:
    pictures(work / "new")
    sample = work / "sample.csv"
    sample.write_text("id,label\n0,0\n")
    command = ["predict", f"{finished}:softmax", "new"]
    told = bakeoff(*command, "--submission", sample, "-o", sample)
    assert f"would be written over {sample}" in assert_clear(told)
    assert sample.read_text() == "id,label\n0,0\n"
    before = (finished / "results.json").read_bytes()
    told = bakeoff(*command, "-o", finished / "results.json")
    assert "belongs to the run" in assert_clear(told)
    assert (finished / "results.json").read_bytes() == before
    told = bakeoff(*command, "-o", "o.csv", "--labels", "indices")
    assert "only a submission" in assert_clear(told)


def test_submission_of_another_shape(bakeoff: Caller, finished: Path, work: Path) -> None:
    """What cannot be shaped is not written at all."""
    (work / "sample.csv").write_text("a,b,c\n1,2,3\n")
    arguments = ["predict", f"{finished}:softmax", "digits", "-o", "out.csv"]
    error = assert_clear(bakeoff(*arguments, "--submission", "sample.csv"))
    assert "sample.csv: has columns a, b, c; needed are two" in error
    assert not (work / "out.csv").exists()


def test_score(bakeoff: Caller, finished: Path) -> None:
    of_the_run = finished / "cells" / "mlp" / "seed-0" / "predictions" / "test.csv"
    record = json.loads((of_the_run.parent.parent / "record.json").read_text())
    found = json.loads(bakeoff("score", of_the_run, of_the_run, "--json").out)
    for name, value in found.items():
        assert value == pytest.approx(record["metrics"][f"test/{name}"], rel=1e-12)
    assert set(found) == {n.partition("/")[2] for n in record["metrics"] if n[:5] == "test/"}
    lines = bakeoff("score", of_the_run, of_the_run).out.splitlines()
    assert lines[0].split() == ["metric", "value"]
    assert lines[1].split() == ["accuracy", f"{found['accuracy']:.6g}"]


def test_score_of_any_files(bakeoff: Caller, work: Path) -> None:
    (work / "made.csv").write_text("ImageId,Label,other\n2,b,x\n1,a,x\n3,a,x\n4,b,x\n")
    (work / "true.csv").write_text("id,target\n1,a\n2,b\n3,b\n4,b\n")
    found = json.loads(bakeoff("score", "made.csv", "true.csv", "--json").out)
    assert found["accuracy"] == 0.75
    assert "log_loss" not in found
    arguments = ["--prediction", "Label", "--label", "target", "--json"]
    assert json.loads(bakeoff("score", "made.csv", "true.csv", *arguments).out) == found


def test_score_lays_files_side_by_side(bakeoff: Caller, work: Path) -> None:
    (work / "ours.csv").write_text("id,label\n1,a\n2,b\n3,b\n4,b\n")
    (work / "theirs.csv").write_text(
        "id,label,prob_a,prob_b\n2,b,0,1\n1,b,0.4,0.6\n3,b,0,1\n4,a,1,0\n"
    )
    (work / "true.csv").write_text("id,label\n1,a\n2,b\n3,b\n4,b\n")
    lines = bakeoff("score", "ours.csv", "theirs.csv", "true.csv").out.splitlines()
    assert lines[0].split() == ["metric", "ours.csv", "theirs.csv"]
    assert lines[1].split() == ["accuracy", "1", "0.5"]
    assert "Only ours.csv is right on 2, only theirs.csv on 0: p = 0.5 (McNemar" in lines[-1]
    found = json.loads(bakeoff("score", "ours.csv", "theirs.csv", "true.csv", "--json").out)
    assert found["against"] == "ours.csv"
    assert found["metrics"]["theirs.csv"]["accuracy"] == 0.5
    assert "log_loss" in found["metrics"]["theirs.csv"]
    assert found["mcnemar"] == {"theirs.csv": {"first": 2, "second": 0, "p_value": 0.5}}


def test_score_of_names_against_indices(bakeoff: Caller, work: Path) -> None:
    (work / "made.csv").write_text("key,guess\nx/1.png,cat\nx/2.png,dog\n")
    (work / "true.csv").write_text("key,label\n2,1\n1,1\n")
    named = ["--prediction", "guess", "--id", "key"]
    error = assert_clear(bakeoff("score", "made.csv", "true.csv", *named))
    assert "no predicted class ('cat', 'dog') is among the labels ('1')" in error
    called = bakeoff("score", "made.csv", "true.csv", *named, "--classes", "cat,dog", "--json")
    assert called.err == "bakeoff: labels are indices of classes: 0 = cat, 1 = dog\n"
    assert json.loads(called.out)["accuracy"] == 0.5
