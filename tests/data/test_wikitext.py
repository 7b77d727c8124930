"""A small set in the publisher's format; the real one is read by the contract of all data sets."""

from pathlib import Path

import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.wikitext import FILES, articles, load_wikitext

TEXT = (
    " \n = First article = \n \n It has a section . \n \n = = Section = = \n \n And a table : \n"
    " = Not a title = \n \n = X = \n \n The second one has a short title . \n"
)


def test_articles(tmp_path: Path) -> None:
    path = tmp_path / "wiki.raw"
    path.write_text(TEXT, encoding="utf-8")
    first, second = articles(path)
    assert first.startswith(" = First article = \n")
    assert "Section" in first
    assert "Not a title" in first
    assert second == " = X = \n \n The second one has a short title . \n"
    path.write_text("no titles\n", encoding="utf-8")
    with pytest.raises(InputError, match="no article"):
        articles(path)


def test_loaded(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    dataset = load_wikitext(tmp_path)
    assert (dataset.modality, dataset.classes, dataset.task_name) == (
        "text",
        (),
        "language-modelling",
    )
    assert dataset.validation is not None
    assert len(dataset.train) == len(dataset.validation) == 2
    assert dataset.train.labels.tolist() == [23.0, 11.0]
