"""Predicting new items with what a finished cell left."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.contracts.small import dataset_of
from tests.models.tiny import save_tiny
from tests.study.tiny import openings, run, study

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import TableSource
from bakeoff.data import catalogue, inputs
from bakeoff.data.catalogue import load
from bakeoff.study.predict import LoadedCell, find_cell, load_fitted, names_run, predict
from bakeoff.study.study import Study, load_study


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def predicted(fitted: LoadedCell, source: Path | str, **options: Any) -> bytes:
    """The predictions file, written where nobody looks for images."""
    with TemporaryDirectory() as folder:
        written = predict(fitted, source, Path(folder) / "out.csv", **options)
        data = (Path(folder) / "out.csv").read_bytes()
    assert written.rows == len(rows(data))
    return data


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(pixels, np.uint8)
    Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array).save(path)


@pytest.fixture
def softmax(shared_run: Path) -> LoadedCell:
    return load_fitted(f"{shared_run}:softmax:1")


def test_cells_are_found(shared_run: Path) -> None:
    cell = shared_run / "cells" / "softmax"
    assert find_cell(f"{shared_run}:softmax") == cell / "seed-0"
    assert find_cell(f"{shared_run}:softmax:2") == cell / "seed-2"
    assert find_cell(str(cell / "seed-1")) == cell / "seed-1"


PATHS = """\
question: Where do relative paths begin?
dataset: {table: texts.csv}
margin: 0.01
seeds: {exactly: 1}
control:
  technique: fine-tune
  numerics: {threads: 1}
  data: {labels: 60}
  model: {weights: ./tiny, max_tokens: 8}
  training: {iterations: 2}
variants:
  taught:
    technique: lstm
    words: {length: 6, size: 60, minimum_count: 1}
    model: {embedding: 4, hidden: 4}
    training: {iterations: 2, teacher: {recipe: fine-tune, extra: ./more.txt}}
"""


def test_every_path_of_a_study_begins_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of data, weights and extra texts alike; what was fitted is loaded from anywhere."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    dataset_of("text", here)
    save_tiny(here / "tiny")
    (here / "more.txt").write_text("it is fine\n")
    (elsewhere / "study.yaml").write_text(PATHS)
    monkeypatch.chdir(here)
    run(here / "run", load_study("../elsewhere/study.yaml"))
    monkeypatch.chdir(elsewhere)
    for recipe in ("fine-tune", "taught"):
        fitted = load_fitted(f"../here/run:{recipe}")
        assert fitted.predictor.predict(["it is fine"]).shape == (1, 3)
        (here / "new.csv").write_text(f"text\nfine\n{'it is fine ' * 9}\n")
        (note,) = predict(fitted, here / "new.csv", here / "out.csv").notes
        assert note.startswith("1 of 2 texts ")


def test_names_of_runs_are_told_from_those_of_weights(shared_run: Path, tmp_path: Path) -> None:
    for name in (f"{shared_run}:softmax", f"{shared_run}", f"{shared_run}/cells/softmax/seed-0"):
        assert names_run(name)
    odd = tmp_path / "a:b"
    odd.mkdir()
    for name in ("gpt2", "distilbert/distilgpt2", "./none", str(odd)):
        assert not names_run(name)


def test_folders_with_a_colon(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "a:b:3").symlink_to(small_run)
    assert find_cell(f"{tmp_path}/a:b:3:softmax").parent.name == "softmax"
    assert find_cell(f"{tmp_path}/a:b:3:softmax:0").name == "seed-0"


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        ("{}", "not a cell"),
        ("{}:sofmax", "unknown recipe 'sofmax'; did you mean 'softmax'"),
        ("{}:softmax:7", r"unknown seed 'seed-7'.*allowed: seed-0, seed-1, seed-2"),
        ("{}/cells/softmax", "not a cell"),
        ("/nowhere:softmax", "not a cell"),
    ],
)
def test_cells_that_are_not_there(shared_run: Path, run: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        load_fitted(run.format(shared_run))


def test_what_was_fitted_on_a_gpu_predicts_without_one(
    shared_run: Path, copy_of: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_of(shared_run) / "cells" / "softmax" / "seed-1" / "record.json"
    content = json.loads(path.read_bytes())
    content["recipe"]["framework"] = "torch"
    content["recipe"]["numerics"]["device"] = "cuda"
    path.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = load_fitted(str(path.parent)).predictor.predict(np.zeros((2, 8, 8, 1), np.uint8))
    assert found.shape == (2, 10)


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "in another order"])
def test_images_of_the_test_split_are_predicted_as_in_the_run(
    softmax: LoadedCell, shared_run: Path, tmp_path: Path, turned: bool
) -> None:
    """The same bits, wherever an image stands among the others."""
    test = load("digits").test
    assert test is not None
    names = [f"{len(test) - i if turned else i}.png" for i in range(len(test))]
    for name, pixels in zip(names, test.items, strict=True):
        save(tmp_path / name, pixels)
    found = {row["id"]: row for row in rows(predicted(softmax, tmp_path))}
    stated = rows((shared_run / "cells/softmax/seed-1/predictions/test.csv").read_bytes())
    assert len(stated) == len(found) == 898
    for name, row in zip(names, stated, strict=True):
        assert found[name] == row | {"id": name, "label": ""}


def test_the_name_of_a_set_means_its_test_split_and_is_noted(
    softmax: LoadedCell, shared_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = predicted(softmax, "digits")
    assert made == (shared_run / "cells/softmax/seed-1/predictions/test.csv").read_bytes()
    assert [line["key"] for line in openings()] == [softmax.record.key]


def test_a_test_split_may_have_other_classes_and_unknown_labels(
    softmax: LoadedCell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load("digits")
    assert whole.test is not None
    test = whole.test.take(np.arange(4))
    test = replace(test, labels=np.array([0, 1, -1, 9]))
    other = replace(whole, classes=("9", "x", *"2345678", "0"), test=test)
    monkeypatch.setattr(catalogue, "load", lambda *_, **__: other)
    assert [row["label"] for row in rows(predicted(softmax, "digits"))] == ["9", "", "", "0"]


def test_labels_are_the_names_of_folders_or_unknown(softmax: LoadedCell, tmp_path: Path) -> None:
    for name in ("3/a.png", "three/b.png", "c.png", ".hidden/d.png", "__MACOSX/3/._e.png"):
        save(tmp_path / name, np.zeros((8, 8)))
    (tmp_path / "notes.txt").write_text("no image")
    found = rows(predicted(softmax, tmp_path))
    assert [(row["id"], row["label"]) for row in found] == [
        ("3/a.png", "3"),
        ("c.png", ""),
        ("three/b.png", ""),
    ]
    assert len({row["prediction"] for row in found}) == 1


def test_one_image(softmax: LoadedCell, tmp_path: Path) -> None:
    save(tmp_path / "x.png", np.full((8, 8), 77))
    assert [row["id"] for row in rows(predicted(softmax, tmp_path / "x.png"))] == ["x.png"]


def test_colour_becomes_grey_where_grey_was_learnt(softmax: LoadedCell, tmp_path: Path) -> None:
    save(tmp_path / "x.png", np.full((8, 8, 3), [10, 200, 30]))
    assert len(rows(predicted(softmax, tmp_path))) == 1


def test_images_of_another_size_are_refused_all_at_once(
    softmax: LoadedCell, tmp_path: Path
) -> None:
    save(tmp_path / "a.png", np.zeros((8, 8)))
    save(tmp_path / "b.png", np.zeros((9, 8)))
    (tmp_path / "c.png").write_bytes(b"no image")
    with pytest.raises(InputError) as caught:
        predicted(softmax, tmp_path)
    assert caught.value.faults == (
        f"{tmp_path}/c.png: cannot be read: not a PNG, JPEG, BMP, GIF, WebP or TIFF image",
        f"{tmp_path}/b.png: 8 x 9 pixels, where 8 x 8 were learnt",
        "  resize them; or ask for their middle squares, resized: --resize",
    )
    (tmp_path / "c.png").unlink()
    assert len(rows(predicted(softmax, tmp_path, resize=True))) == 2


def test_parts_change_no_bit(
    shared_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = load("digits").test
    assert test is not None
    np.save(tmp_path / "new.npy", test.items)
    for name in ("softmax", "knn", "majority"):
        fitted = load_fitted(f"{shared_run}:{name}:1")
        whole = predicted(fitted, tmp_path / "new.npy")
        for images in (64, 256, 1000):
            monkeypatch.setattr(inputs, "PART_BYTES", images * 64)
            assert predicted(fitted, tmp_path / "new.npy") == whole
        monkeypatch.undo()


def test_a_fault_leaves_no_file(
    softmax: LoadedCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "PART_BYTES", 64)
    for number in range(1, 6):
        save(tmp_path / "new" / f"{number}.png", np.zeros((8, 8)))
    (tmp_path / "new" / "5.png").write_bytes(b"")
    (tmp_path / "out.csv").write_text("as it was")
    with pytest.raises(InputError, match=r"new/5\.png: cannot be read: empty file"):
        predict(softmax, tmp_path / "new", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "out.csv"]


def test_what_was_left_out_is_told(softmax: LoadedCell, tmp_path: Path) -> None:
    save(tmp_path / "new" / "1.png", np.full((8, 8, 3), [0, 9, 0]))
    (tmp_path / "new" / "a.txt").touch()
    assert predict(softmax, tmp_path / "new", tmp_path / "out.csv").notes == (
        "1 files that are not images left out (1 x .txt)",
        "1 image in colour brought to grey, as was learnt (e.g. 1.png)",
    )


def test_resizing_gives_squares(softmax: LoadedCell, tmp_path: Path) -> None:
    save(tmp_path / "1.png", np.zeros((8, 8)))
    oblong = replace(softmax, shape=(8, 9, 1))
    with pytest.raises(InputError, match="--resize: gives squares, where 9 x 8 pixels were learnt"):
        predicted(oblong, tmp_path, resize=True)


def test_what_cannot_be_read(softmax: LoadedCell, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        predicted(softmax, tmp_path)
    with pytest.raises(InputError, match="neither a file, a folder, nor one of"):
        predicted(softmax, tmp_path / "nowhere")


def test_what_looks_at_nothing_takes_any_image(shared_run: Path, tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((3, 5, 3)))
    save(tmp_path / "b.png", np.zeros((9, 9)))
    found = rows(predicted(load_fitted(f"{shared_run}:majority"), tmp_path))
    assert [row["id"] for row in found] == ["a.png", "b.png"]
    assert found[0]["prob_3"] == found[1]["prob_3"]


def test_a_cell_that_diverged_predicts_the_majority(tmp_path: Path) -> None:
    wild = {"technique": "softmax", "training": {"epochs": 1, "learning_rate": 1e38}}
    run(tmp_path / "run", study(variants={"wild": wild}))
    save(tmp_path / "images" / "a.png", np.zeros((8, 8)))
    wild_, majority = (
        predicted(load_fitted(f"{tmp_path}/run:{name}"), tmp_path / "images")
        for name in ("wild", "majority")
    )
    assert wild_ == majority


# Texts.


def write_table(path: Path, count: int, *, label: bool = True) -> Path:
    header = "review,sentiment,number\n" if label else "review,number\n"
    words = ("fine", "dull", "fine")
    lines = [
        f"a {words[i % 3]} film {i}," + (f"{words[i % 3]}," if label else "") + f"{i}\n"
        for i in range(count)
    ]
    path.write_text(header + "".join(lines))
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Callable[[], LoadedCell]:
    def fit() -> LoadedCell:
        source = write_table(tmp_path / "train.csv", 120)
        given = study(dataset={"table": str(source), "text": "review"}, variants={})
        run(tmp_path / "run", given)
        return load_fitted(f"{tmp_path}/run:majority")

    return fit


def test_every_row_of_a_table_is_predicted_in_its_order(
    reviews: Callable[[], LoadedCell], tmp_path: Path
) -> None:
    found = rows(predicted(reviews(), write_table(tmp_path / "new.csv", 50)))
    assert [row["id"] for row in found] == [str(number) for number in range(50)]
    assert [row["label"] for row in found[:3]] == ["fine", "dull", "fine"]
    assert {row["prediction"] for row in found} == {"fine"}


def test_packed_tables(reviews: Callable[[], LoadedCell], tmp_path: Path) -> None:
    plain = write_table(tmp_path / "new.csv", 4).read_bytes()
    (tmp_path / "new.csv.gz").write_bytes(gzip.compress(plain))
    assert len(rows(predicted(reviews(), tmp_path / "new.csv.gz"))) == 4


def test_a_table_needs_no_labels(reviews: Callable[[], LoadedCell], tmp_path: Path) -> None:
    found = rows(predicted(reviews(), write_table(tmp_path / "new.csv", 4, label=False)))
    assert [row["label"] for row in found] == [""] * 4


def test_a_table_may_call_its_columns_otherwise(
    reviews: Callable[[], LoadedCell], tmp_path: Path
) -> None:
    table = tmp_path / "news.csv"
    table.write_text("headline,key\na fine film,x\na dull one,y\n", encoding="utf-8")
    fitted = reviews()
    found = rows(predicted(fitted, table, columns={"text": "headline", "id": "key"}))
    assert [row["id"] for row in found] == ["x", "y"]
    with pytest.raises(InputError, match=r"there is no column 'review'(.|\n)*--text COLUMN"):
        predicted(fitted, table)
    with pytest.raises(InputError, match=r"id: there is no column 'keys'.*'key'"):
        predicted(fitted, table, columns={"text": "headline", "id": "keys"})
    with pytest.raises(InputError, match=r"--text: received, but .* is no table"):
        predicted(fitted, tmp_path, columns={"text": "headline"})


def test_texts_are_no_images(softmax: LoadedCell, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="images"):
        predicted(softmax, write_table(tmp_path / "new.csv", 4))


def test_images_are_no_texts(reviews: Callable[[], LoadedCell], tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("a story", encoding="utf-8")
    with pytest.raises(InputError, match=r"story.txt: a table of texts is needed \(.csv"):
        predicted(reviews(), tmp_path / "story.txt")


def test_rows_of_numbers(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).normal(size=(150, 2))
    lines = [f"{a:.6f},{b:.6f},{3 * a - b + 2:.6f}" for a, b in drawn.tolist()]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["a,b,y", *lines]), encoding="utf-8")
    asked = Study(
        question="Does the mean do as well?",
        dataset=TableSource(table=str(table), target="y", inputs=("a", "b")),
        metric="test/mean_squared_error",
        margin=0.1,
        seeds=[0, 1, 2],
        control={"technique": "lms", "model": {"rule": "wiener"}},
        variants={"mean": {"technique": "majority"}},
    )
    asked.run(tmp_path / "run")
    new = tmp_path / "new.csv"
    new.write_text("b,extra,a\n1,x,0\n0,y,1\n", encoding="utf-8")
    fitted = load_fitted(f"{tmp_path / 'run'}:lms:0")
    made = rows(predicted(fitted, new))
    assert list(made[0]) == ["id", "target", "prediction"]
    assert [float(row["prediction"]) for row in made] == pytest.approx([1, 5], abs=1e-4)
    named = rows(predicted(fitted, new, columns={"id": "extra"}))
    assert [row["id"] for row in named] == ["x", "y"]
    with pytest.raises(InputError, match=r"no column 'other' \(columns"):
        predicted(fitted, new, columns={"id": "other"})
    with pytest.raises(InputError, match=r"--text: received, but a table of numbers"):
        predicted(fitted, new, columns={"text": "extra"})
    new.write_text("b,a\n1,\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2: column 'a' is empty"):
        predicted(fitted, new)
    with pytest.raises(InputError, match="asks for classification"):
        predicted(fitted, "digits")
    with pytest.raises(InputError, match="a table of numbers is needed"):
        predicted(fitted, tmp_path)


def test_trials_of_a_search_are_no_recipes_to_predict_by(tmp_path: Path) -> None:
    run(tmp_path, study(search={"grid": {"training.learning_rate": [0.1, 0.2]}}))
    with pytest.raises(InputError, match="unknown recipe 'sofmax'") as refusal:
        find_cell(f"{tmp_path}:sofmax")
    assert "(allowed: majority, softmax)" in str(refusal.value)
    with pytest.raises(InputError, match="a trial of a search, which keeps no weights"):
        load_fitted(f"{tmp_path}:softmax@learning_rate=0.1:2000000")
