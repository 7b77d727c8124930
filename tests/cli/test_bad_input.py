"""Bad input: what was received, where, and what is allowed; exit code 2; nothing half written."""

import csv
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.calling import TINY, Called, Caller, assert_clear

from bakeoff.data import fetch
from bakeoff.data.catalogue import DATASETS
from bakeoff.data.sources import Download
from bakeoff.study.study import built_in_names

ALLOWED_METRICS = "allowed: test/accuracy, test/balanced_accuracy"


@pytest.fixture
def refused(bakeoff: Caller, work: Path) -> "Refused":
    return Refused(bakeoff, work)


class Refused:
    """Calls that must be refused, and leave the working folder as it was."""

    def __init__(self, bakeoff: Caller, work: Path) -> None:
        self.bakeoff, self.work = bakeoff, work

    def __call__(self, *arguments: str | Path) -> str:
        """What is said on stderr."""
        before = self.files()
        error = assert_clear(self.bakeoff(*arguments))
        assert self.files() == before, "something was left behind"
        return error

    def run(self, study: str | Path, *arguments: str) -> str:
        """The refusal of a run."""
        return self("run", study, "--out", "out", *arguments)

    def files(self) -> dict[str, int]:
        """Every file and folder, with when it was changed; a lock changes by being held."""
        paths = [self.work, *self.work.rglob("*")]
        return {str(path): path.lstat().st_mtime_ns for path in paths if path.name != ".lock"}


def test_unknown_study(refused: Refused) -> None:
    error = refused.run("digits-frist")
    assert "unknown study 'digits-frist'; did you mean 'digits-first'?" in error
    assert f"allowed: {', '.join(built_in_names())}, or a file" in error


def test_no_such_file(refused: Refused) -> None:
    assert "nosuch.yaml: there is no such file" in refused.run("nosuch.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"control: [a\nseeds: }", "study.yaml: not YAML: "),
        (b"- a\n- b\n", "study.yaml: a mapping of fields is needed, not list"),
        (b"", "study.yaml: a mapping of fields is needed, not NoneType"),
        (b"1: 2\n", "study.yaml: a mapping of fields is needed"),
        (b"\xff\xfe\x00", "study.yaml: cannot be read: "),
        (b"seeds: 3\nseeds: 4\n", "the key 'seeds' occurs twice"),
        (b"question: !!python/object/apply:os.system [ls]\n", "study.yaml: not YAML: "),
        (b"question: What?\n", "control: this field is required"),
    ],
)
def test_file_that_is_no_study(refused: Refused, work: Path, content: bytes, message: str) -> None:
    (work / "study.yaml").write_bytes(content)
    assert message in refused.run("study.yaml")


def test_folder_for_a_study(refused: Refused, work: Path) -> None:
    (work / "folder.yaml").mkdir()
    assert "folder.yaml: cannot be read: " in refused.run("folder.yaml")


def test_misspelt_fields_are_told_at_once(refused: Refused, work: Path) -> None:
    (work / "study.yaml").write_text(
        "question: Is it?\n"
        "dataset: digits\n"
        "metric: test/acuracy\n"
        "control: {name: softmax, technique: softmax, training: {epoch: 1, l3: 2}}\n"
        "variants:\n"
        "  a: {technique: mpl}\n"
        "  b: {technique: mlp, model: {hiden: [3]}, data.labls: 3}\n"
        "  c: {technique: cnn, augmentation.flop: true, numerics.threats: 1}\n",
        encoding="utf-8",
    )
    error = refused.run("study.yaml")
    for part in (
        "metric: unknown metric 'test/acuracy'; did you mean 'test/accuracy'?",
        "control.training.epoch: unknown field; did you mean 'epochs'?",
        "control.training.l3: unknown field",
        "variants.a.technique: unknown technique 'mpl'; did you mean 'mlp'?",
        "variants.b.model.hiden: unknown field; did you mean 'hidden'?",
        "variants.b.data.labls: unknown field; did you mean 'labels'?",
        "variants.c.augmentation.flop: unknown field; did you mean 'flip'?",
        "variants.c.numerics.threats: unknown field; did you mean 'threads'?",
    ):
        assert part in error
    assert len(set(error.splitlines())) == len(error.splitlines())


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("numerics", "message"),
    [
        ("", "control.numerics: "),
        ("[1]", "control.numerics: "),
        ("{threads: two}", "control.numerics.threads: "),
        ("{threads: }", "control.numerics.threads: "),
    ],
)
def test_numerics_that_are_none(
    refused: Refused, work: Path, numerics: str, message: str, jobs: str
) -> None:
    text = TINY.replace("{name: softmax", f"{{numerics: {numerics}, name: softmax")
    (work / "study.yaml").write_text(text, encoding="utf-8")
    error = refused.run("study.yaml", "--jobs", jobs)
    assert message in error
    assert error.count(message) == 1


def test_misspelt_fields_of_the_study(refused: Refused, work: Path) -> None:
    text = TINY.replace("question", "qestion").replace("variants", "varients")
    (work / "study.yaml").write_text(text, encoding="utf-8")
    error = refused.run("study.yaml")
    assert "qestion: unknown field; did you mean 'question'?" in error
    assert "varients: unknown field; did you mean 'variants'?" in error
    assert "allowed: control, dataset, factors, margin, metric" in error


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("metric=test/acuracy", "metric: unknown metric 'test/acuracy'; did you mean"),
        ("metric=test/acuracy", ALLOWED_METRICS),
        ("metric=validation/accuracy", "metric: must be test/<name>"),
        ("metric=validation/accuracy", "received 'validation/accuracy'"),
        ("seeds=0", "seeds: must be a number of seeds from 1 to 10000, a list of different"),
        ("seeds=0", "(received 0)"),
        ("seeds=-1", "received -1"),
        ("seeds=five", "received 'five'"),
        ("seeds=[0, 0]", "received [0, 0]"),
        ("seeds=[a]", "received ['a']"),
        ("seeds={exactly: 0}", "received {'exactly': 0}"),
        ("margin=-1", "margin: input should be greater than or equal to 0 (received -1)"),
        ("margin=much", "received 'much'"),
        ("training.epochs", "--set training.epochs: needed is FIELD=VALUE"),
        ("=3", "--set =3: needed is FIELD=VALUE"),
        ("training.epochs=[", "--set training.epochs=[: the value is not YAML"),
        ("training.epohs=3", "control.training.epohs: unknown field; did you mean 'epochs'?"),
        ("training.epochs=0", "control.training.epochs: input should be greater than"),
        ("training.epochs=many", "received 'many'"),
        ("training.iterations=3", "control.training: give either epochs or iterations"),
        ("trainin.epochs=3", "control.trainin: unknown field; did you mean 'training'?"),
        ("variants.mlp.model.hiden=[3]", "variants.mlp.model.hiden: unknown field"),
        ("training.select=acuracy", "unknown metric 'acuracy'"),
        ("dataset.x=3", "dataset.x: 'dataset' is 'digits' and has no field 'x'"),
        ("dataset=digit", "dataset: unknown data set 'digit'; did you mean 'digits'?"),
        ("dataset=3", "dataset: input should be a valid string, or a mapping with"),
        ("dataset={foldr: x}", "dataset.foldr: unknown field; did you mean 'folder'?"),
        ("data.labels=5", "data.labels: 5 is fewer than one for each of the 10 classes"),
        ("data.labels=5000", "data.labels: 5000 asked for, digits has 809 examples"),
        ("data.classes=['3', x]", "unknown class 'x'"),
        ("numerics.threads=0", "control.numerics.threads: input should be greater than"),
        ("control.technique=sofmax", "unknown technique 'sofmax'; did you mean 'softmax'?"),
        ("variants.mlp.technique=", "variants.mlp.technique: "),
    ],
)
def test_settings(refused: Refused, tiny: Path, pair: str, message: str) -> None:
    assert message in refused.run(tiny, "--set", pair)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range x>=1"),
        (["--jobs", "many"], "Invalid value for '--jobs': 'many'"),
        (["--seeds", "0"], "Invalid value for '--seeds': 0 is not in the range 1<=x<=10000"),
        (["--seeds", "-3"], "Invalid value for '--seeds': -3"),
        (["--seeds", "five"], "Invalid value for '--seeds': 'five'"),
        (["--device", "gpu"], "'gpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["--sed", "3"], "No such option"),
        (["surplus"], "unexpected extra argument"),
    ],
)
def test_options(refused: Refused, tiny: Path, arguments: list[str], message: str) -> None:
    assert message in refused.run(tiny, *arguments)


def test_no_study_named(refused: Refused) -> None:
    assert "Missing argument" in refused("run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu(refused: Refused, tiny: Path) -> None:
    tiny.write_text(TINY.replace("technique: mlp, model: {hidden: [8]}", "technique: cnn"))
    error = refused.run(tiny, "--device", "cuda")
    assert "control.numerics.device: cuda received, but torch" in error
    assert "(allowed here: auto, cpu)" in error


def test_out_below_a_file(refused: Refused, tiny: Path) -> None:
    for place in (tiny, tiny / "run"):
        error = refused("run", tiny, "--out", place)
        assert "'--out'" in error
        assert str(tiny) in error


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_out_where_nothing_can_be_made(refused: Refused, tiny: Path) -> None:
    error = refused("run", tiny, "--out", "/proc/bakeoff/run")
    assert "--out /proc/bakeoff/run: cannot be written: " in error


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_out_without_the_right(refused: Refused, tiny: Path, work: Path) -> None:
    (work / "locked").mkdir(mode=0o500)
    assert "no right to write" in refused("run", tiny, "--out", "locked/run")


def table(path: Path, header: str, rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header.split(","), *rows])


def texts(count: int = 60) -> list[list[object]]:
    return [[i, f"text {i} is {'fine' if i % 2 else 'dull'}", i % 2] for i in range(count)]


def test_missing_column(refused: Refused, tiny: Path, work: Path) -> None:
    table(work / "reviews.csv", "id,review,sentiment", texts())
    error = refused.run(tiny, "--set", "dataset={table: reviews.csv, text: reviw}")
    assert "reviews.csv: text: there is no column 'reviw'; did you mean 'review'?" in error
    assert "'id', 'review', 'sentiment'" in error


def test_technique_that_reads_no_texts(refused: Refused, tiny: Path, work: Path) -> None:
    table(work / "reviews.csv", "id,review,sentiment", texts())
    error = refused.run(tiny, "--set", "dataset={table: reviews.csv}")
    assert "control.technique: softmax reads image data; reviews.csv holds text data" in error
    assert "variants.mlp.technique: mlp reads image data" in error


def test_label_that_only_test_has(refused: Refused, tiny: Path, work: Path) -> None:
    rows = [[*row[:2], 7 if i > 55 else row[2], "test" if i > 40 else "train"]
            for i, row in enumerate(texts())]  # fmt: skip
    table(work / "reviews.csv", "id,review,sentiment,split", rows)
    error = refused.run(tiny, "--set", "dataset={table: reviews.csv}")
    assert "reviews.csv: labels in test that are not in train: '7'" in error


def images(folder: Path) -> None:
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(12):
            pixels = generator.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def test_class_that_only_test_has(refused: Refused, tiny: Path, work: Path) -> None:
    images(work / "pets" / "train")
    images(work / "pets" / "test")
    (work / "pets" / "test" / "dog").rename(work / "pets" / "test" / "eel")
    error = refused.run(tiny, "--set", "dataset={folder: pets}")
    assert "pets: classes in test that are not in train: eel" in error


def test_empty_folder(refused: Refused, tiny: Path, work: Path) -> None:
    (work / "pets").mkdir()
    assert "pets: no class folders" in refused.run(tiny, "--set", "dataset={folder: pets}")
    assert "pets: no class folders" in refused("data", "check", "pets")
    assert "nowhere: no such folder" in refused.run(tiny, "--set", "dataset={folder: nowhere}")
    (work / "pets" / "cat").mkdir()
    error = refused("data", "check", "pets")
    assert "cat: no images (.png, .jpg, " in error


def test_damaged_images_are_all_named(refused: Refused, tiny: Path, work: Path) -> None:
    images(work / "pets")
    (work / "pets" / "cat" / "5.png").write_bytes(b"not an image")
    cut = work / "pets" / "dog" / "3.png"
    cut.write_bytes(cut.read_bytes()[:60])
    for error in (
        refused.run(tiny, "--set", "dataset={folder: pets}"),
        refused("data", "check", "pets"),
    ):
        assert "2 images cannot be read; repair or remove them:" in error
        assert "cat/5.png: not a PNG, JPEG, BMP, GIF, WebP or TIFF image" in error
        assert "dog/3.png: image file is truncated" in error


def png_of(width: int, height: int) -> bytes:
    """An image that says it is large, and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def other_classes(cat: Path) -> None:
    """Splits whose classes differ."""
    pets = cat.parent
    images(pets / "train")
    images(pets / "test")
    (pets / "test" / "cat").rename(pets / "test" / "Cats")
    for name in ("cat", "dog"):
        shutil.rmtree(pets / name)


def no_decoder(cat: Path) -> None:
    """A class of photographs in a format that cannot be read."""
    (cat.parent / "eel").mkdir()
    (cat.parent / "eel" / "1.heic").touch()


SPOILT: dict[str, Callable[[Path], object]] = {
    "zero": lambda cat: (cat / "5.png").write_bytes(b""),
    "text": lambda cat: (cat / "5.jpg").write_text("hello"),
    "bomb": lambda cat: (cat / "5.png").write_bytes(png_of(60_000, 60_000)),
    "large": lambda cat: Image.new("L", (1200, 40)).save(cat / "5.png"),
    "pipe": lambda cat: os.mkfifo(cat / "pipe.png"),
    "link": lambda cat: (cat / "link.png").symlink_to("nowhere.png"),
    "circle": lambda cat: (cat / "link.png").symlink_to("link.png"),
    "float": lambda cat: Image.fromarray(np.ones((8, 8), np.float32)).save(cat / "a.tiff"),
    "name": lambda cat: (cat / "new\nline.png").write_bytes(b""),
    "sizes": lambda cat: Image.new("L", (9, 8)).save(cat / "a.png"),
    "splits": other_classes,
    "single": lambda cat: (cat.parent / "dog").rename(cat / "deep"),
    "heic": no_decoder,
}
"""What may be wrong with class folders, by what makes it so; each is given the folder `cat`."""


def spoil(folder: Path, how: str) -> None:
    """Class folders with one thing wrong."""
    images(folder)
    SPOILT[how](folder / "cat")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("zero", "cat/5.png: empty file"),
        ("text", "cat/5.jpg: not a PNG, JPEG, BMP, GIF, WebP or TIFF image"),
        ("bomb", "cat/5.png: more than 89,478,485 pixels"),
        ("large", "pets: images have 2 different sizes; give one: {folder: pets, size: 8}"),
        ("pipe", "cat/pipe.png: a folder, a pipe or a device, not a file"),
        ("link", "cat/link.png: a link to a file that is not there"),
        ("circle", "cat/link.png: Too many levels of symbolic links"),
        ("float", "cat/a.tiff: holds numbers of 32 bits or with a sign"),
        ("name", "cat/new\\nline.png: empty file"),
        ("sizes", "  9 x 8: 1 images, e.g. pets/cat/a.png"),
        ("splits", "not in train: Cats; is cat meant? (train has cat, dog)"),
        ("single", "pets: only one class, 'cat'; at least two are needed"),
        (
            "heic",
            "eel: no images (.png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff) in this class",
        ),
    ],
)
def test_folders_of_images(
    refused: Refused, tiny: Path, work: Path, how: str, message: str
) -> None:
    spoil(work / "pets", how)
    assert message in refused.run(tiny, "--set", "dataset={folder: pets}")
    assert message in refused("data", "check", "pets")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("zero", "cat/5.png: cannot be read: empty file"),
        ("bomb", "cat/5.png: cannot be read: more than 89,478,485 pixels"),
        ("large", "cat/5.png: 1200 x 40 pixels, where 8 x 8 were learnt"),
        ("pipe", "cat/pipe.png: cannot be read: a folder, a pipe or a device"),
        ("circle", "cat/link.png: cannot be read: Too many levels"),
        ("float", "cat/a.tiff: cannot be read: holds numbers of 32 bits"),
        ("sizes", "cat/a.png: 9 x 8 pixels, where 8 x 8 were learnt"),
        ("sizes", "  resize them; or ask for their middle squares, resized: --resize"),
    ],
)
def test_folders_to_predict(
    refused: Refused, finished: Path, work: Path, how: str, message: str
) -> None:
    spoil(work / "pets", how)
    assert message in refused("predict", f"{finished}:softmax", "pets", "-o", "deep/out.csv")


CONTENT = np.random.default_rng(0).integers(0, 256, 50_000, np.uint8).tobytes()


class Mirror(BaseHTTPRequestHandler):
    """A publisher whose server breaks off, or whose file is another one by now."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        whole = self.path.startswith("/wrong")
        self.wfile.write(bytes(len(CONTENT)) if whole else CONTENT[:20_000])

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "ATTEMPTS", 2)
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/cut", "broke off after 20,000 of 50,000 bytes"),
        ("/wrong", "not the published file (SHA-256 "),
    ],
)
def test_download(
    refused: Refused, tiny: Path, monkeypatch: pytest.MonkeyPatch, address: str, path: str,
    message: str,
) -> None:  # fmt: skip
    item = Download("data.bin", (address + path,), sha256(CONTENT).hexdigest(), len(CONTENT))
    entry = replace(
        DATASETS["mnist"], name="served", folder="served", layouts=(("data.bin",),),
        downloads=(item,),
    )  # fmt: skip
    monkeypatch.setitem(DATASETS, "served", entry)
    for error in (
        refused("data", "fetch", "served"),
        refused.run(tiny, "--set", "dataset=served"),
    ):
        assert "cannot download data.bin:" in error
        assert f"{address}{path}: " in error
        assert message in error
    assert "not here" in refused.bakeoff("data", "list").out
    error = refused("data", "fetch", "served", "--offline")
    assert "not on this machine, and downloads are off; looked in" in error


def labels_files(work: Path) -> None:
    (work / "made.csv").write_text("id,prediction\n1,a\n2,b\n")
    (work / "true.csv").write_text("id,label\n1,a\n2,b\n")
    (work / "short.csv").write_text("id,label\n1,a\n")
    (work / "other.csv").write_text("id,verdict\n1,a\n2,b\n")
    (work / "ragged.csv").write_text("id,label\n1\n")
    (work / "twice.csv").write_text("id,label\n1,a\n1,b\n")
    (work / "empty.csv").touch()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["made.csv", "other.csv"], "other.csv: no column one of label, "),
        (["made.csv", "other.csv"], "(found: id, verdict)"),
        (
            ["made.csv", "true.csv", "--label", "lbl"],
            "true.csv: no column 'lbl' (found: id, label)",
        ),
        (["made.csv", "true.csv", "--prediction", "x"], "made.csv: no column 'x'"),
        (["made.csv", "short.csv"], "short.csv: no label for 1 of 2 predicted ids"),
        (["short.csv", "true.csv"], "short.csv: no prediction for 1 of 2 labelled ids"),
        (["made.csv", "ragged.csv"], "ragged.csv: line 2 has 1 fields, header 2"),
        (["made.csv", "twice.csv"], "twice.csv: the id '1' occurs more than once"),
        (["made.csv", "empty.csv"], "empty.csv: empty"),
        (["made.csv", "nosuch.csv"], "File 'nosuch.csv' does not exist"),
        (["made.csv", "short.csv", "true.csv"], "short.csv: no prediction for 1 of 2 labelled"),
        (["made.csv", "made.csv", "true.csv"], "made.csv: given more than once"),
    ],
)
def test_score(refused: Refused, work: Path, arguments: list[str], message: str) -> None:
    labels_files(work)
    assert message in refused("score", *arguments)


@pytest.mark.parametrize(
    ("run", "source", "message"),
    [
        ("nosuch:mlp", "digits", "nosuch:mlp: not a cell (needed: its folder, or DIR:recipe"),
        (".", "digits", ".: not a cell"),
        ("run:mpl", "digits", "run: unknown recipe 'mpl'; did you mean 'mlp'? (allowed: mlp, soft"),
        ("run:mlp:9", "digits", "run:mlp: unknown seed 'seed-9'"),
        ("run:mlp:9", "digits", "(allowed: seed-0, seed-1)"),
        ("run:mlp", "nosuch", "nosuch: neither a file, a folder, nor one of ag-news, "),
        ("run:mlp", "empty", "empty: no images (looked for .png, .jpg, "),
        ("run:mlp", "damaged", "cat/5.png: cannot be read: not a PNG"),
        ("run:mlp", "large.png", "large.png: 9 x 8 pixels, where 8 x 8 were learnt"),
        ("run:mlp", "junk.bin", "junk.bin: 12 bytes are not a whole number of records of 3073"),
        ("run:mlp", "pickled", "pickled: is pickled, as the Python version of CIFAR-10 is"),
        ("run:mlp", "two.npz", "two.npz: which array holds the images?"),
    ],
)
def test_predict(
    refused: Refused, finished: Path, work: Path, run: str, source: str, message: str
) -> None:
    (work / "empty").mkdir()
    (work / "junk.bin").write_bytes(b"not an image")
    (work / "pickled").write_bytes(b"\x80\x02}q\x00.")
    np.savez(work / "two.npz", a=np.zeros(3), b=np.zeros(3))
    images(work / "damaged")
    (work / "damaged" / "cat" / "5.png").write_bytes(b"not an image")
    Image.new("L", (9, 8)).save(work / "large.png")
    assert message in refused("predict", run, source, "-o", "out.csv")


def test_predict_texts_with_a_recipe_for_images(
    refused: Refused, finished: Path, work: Path
) -> None:
    table(work / "reviews.csv", "id,review,sentiment", texts())
    error = refused("predict", f"{finished}:mlp", "reviews.csv", "-o", "out.csv")
    assert "images" in error


def test_predict_without_a_place(refused: Refused, finished: Path, tiny: Path) -> None:
    assert "Missing option '-o'" in refused("predict", f"{finished}:mlp", "digits")
    error = refused("predict", f"{finished}:mlp", "digits", "-o", tiny / "out.csv")
    assert "is a file, not a folder" in error


def test_folder_that_is_no_run(refused: Refused, work: Path) -> None:
    (work / "folder").mkdir()
    assert "folder: not the folder of a finished run" in refused("verify", "folder")
    assert "folder/results.json: not found" in refused("report", "folder")
    assert "folder: not a run folder" in refused("pack", "folder", "evidence")
    for command in (["verify"], ["report"]):
        assert "Directory 'nosuch' does not exist" in refused(*command, "nosuch")


def test_damaged_run(refused: Refused, finished: Path, tiny: Path) -> None:
    (finished / "plan.json").write_text("{", encoding="utf-8")
    assert "plan.json: cannot be read: " in refused("pack", finished, "evidence")
    assert "plan.json: cannot be read: " in refused("run", tiny, "--out", finished)


def test_another_question_in_the_same_folder(refused: Refused, finished: Path, tiny: Path) -> None:
    """Once test scores were read, metric, margin and data of the folder stay as they are."""
    for pair in ("metric=test/f1_macro", "margin=0.2"):
        name = pair.partition("=")[0]
        error = refused("run", tiny, "--out", finished, "--set", pair)
        assert f"{name}: " in error
        assert "use another --out" in error


def test_refused_call_is_not_a_clear_one_by_chance() -> None:
    with pytest.raises(AssertionError):
        assert_clear(Called(2, "", "Traceback (most recent call last):\nValueError"))
    with pytest.raises(AssertionError):
        assert_clear(Called(2, "", "bakeoff: fine\nbut not this"))
    with pytest.raises(AssertionError):
        assert_clear(Called(1, "", "bakeoff: fine"))


def test_recipes_that_do_not_fit_each_other(refused: Refused, work: Path) -> None:
    """Nothing runs: else they would fail when what they need has been fitted."""
    text = (
        "question: Does it pay to learn on?\n"
        "dataset: digits\n"
        "margin: 0.01\n"
        "control: {name: net, technique: cnn, model: {name: mlp, hidden: [8]}}\n"
        "variants:\n"
        "  none: {technique: majority}\n"
        "  knn: {technique: knn, encoder: {recipe: none}}\n"
        "  tuned:\n"
        "    technique: probe\n"
        "    encoder: {recipe: net}\n"
        "    classifier: {fine_tune: [hiden], rates: {outptu: 0.1}}\n"
        "  triplets: {technique: contrastive, training: {classes_per_batch: 11}}\n"
    )
    (work / "study.yaml").write_text(text, encoding="utf-8")
    error = refused.run("study.yaml")
    for part in (
        "knn: knn: encoder: the technique of recipe 'none' gives no vectors",
        "tuned: classifier.fine_tune: no layer 'hiden'; did you mean 'hidden'?",
        "tuned: classifier.rates: no layer 'outptu'; did you mean 'output'?",
        "triplets: training.classes_per_batch: 11 received (allowed: 2 to 10",
    ):
        assert part in error
