"""Any text file as a data set."""

from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import CorpusSource, DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.data.corpus import documents, load_corpus, read_utf8


def write(path: Path, lines: int) -> Path:
    text = "".join(f"line {i} says so much\n" for i in range(lines))
    path.write_text(text, encoding="utf-8")
    return path


def test_documents_count_their_words() -> None:
    examples = documents(["a b\nc", "", "d"])
    assert examples.labels.tolist() == [3.0, 0.0, 1.0]
    assert examples.labels.dtype == np.float64
    assert examples[0] == ("a b\nc", 3.0)


def test_a_file_is_cut_at_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "text.txt", 101)
    source = CorpusSource(corpus=str(path), words=10)
    dataset = load_corpus(source)
    assert dataset.test is not None
    every = [*dataset.train.items, *dataset.test.items]
    assert len(every) == 51
    assert sorted("\n".join(map(str, every)).splitlines()) == sorted(
        path.read_text(encoding="utf-8").splitlines()
    )
    assert dataset.task_name == "language-modelling"
    assert 8 <= len(dataset.test) <= 12
    assert any("51 documents" in note for note in dataset.notes)
    again = catalogue.load(source)
    assert again is catalogue.load(source)
    assert again.hash == dataset.hash


def test_label_budgets_and_validation(tmp_path: Path) -> None:
    dataset = load_corpus(CorpusSource(corpus=str(write(tmp_path / "text.txt", 200)), words=10))
    settings = DataSettings(set="x", labels=20, normalise="none")
    data = splits.draw(dataset, settings, Streams(0)).training_data()
    assert (len(data.train), data.task.name) == (20, "language-modelling")
    assert not set(data.train.items) & set(data.validation.items)


def test_refused(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty.txt", tmp_path / "binary.txt"
    empty.write_text("\n \n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="holds no text"):
        read_utf8(empty)
    with pytest.raises(InputError, match="not UTF-8"):
        read_utf8(binary)
    with pytest.raises(InputError, match="cannot be read"):
        read_utf8(tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"1 document of about 10 words \(needed: 3 or more"):
        load_corpus(CorpusSource(corpus=str(write(tmp_path / "few.txt", 2)), words=10))
