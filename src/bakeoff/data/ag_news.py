"""AG News: short news items of four kinds, 120,000 to train and 7,600 to test.

Source: X. Zhang, J. Zhao, Y. LeCun 2015, "Character-level convolutional networks for text
classification", NeurIPS, from A. Gulli's corpus of news. CSV without a header: class 1 to 4, title,
description. A text is the title, a space, the description, as published: with the remains of HTML
that `bakeoff data check` counts.

`ag-news-7600` is the test file alone, for where no more is at hand: a small set without a test
split, to be judged by folds. Items that are nearly the same belong together there.
"""

import csv
import io
from functools import partial
from pathlib import Path

import numpy as np

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.sources import Entry, mirrored
from bakeoff.data.tabular import long_fields
from bakeoff.data.text_files import decoded, lost_note, near_groups, read_bytes

CLASSES = ("World", "Sports", "Business", "Sci/Tech")
TRAIN, TEST = "train.csv", "test.csv"
MIRRORS = ("https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",)
"""Of the CSV files, with the publisher's bytes; his own archive is on Google Drive."""
TEST_FILE = (TEST, 1_857_427, "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699")
TRAIN_FILE = (
    TRAIN,
    29_470_338,
    "76a0a2d2f92b286371fe4d4044640910a04a803fdd2538e0f3f29a5c6f6b672e",
)


def load_ag_news(folder: Path) -> Dataset:
    """Both files.

    Raises:
        InputError: where one is missing, or a row is no class, title and description.
    """
    train, note = _read(folder / TRAIN)
    test, more = _read(folder / TEST)
    return Dataset("ag-news", "text", CLASSES, train, test, None, (*note, *more))


def load_7600(folder: Path) -> Dataset:
    """The test file as training examples, near copies grouped; there is no test split.

    Raises:
        InputError: as `load_ag_news` does.
    """
    whole, note = _read(folder / TEST)
    groups = near_groups(list(whole.items))
    grouped = Examples(whole.items, whole.labels, whole.ids, groups)
    return Dataset("ag-news-7600", "text", CLASSES, grouped, None, None, note)


def _read(path: Path) -> tuple[Examples, tuple[str, ...]]:
    texts, labels, line, lost = [], [], 1, 0
    content, broken = decoded(read_bytes(path))
    with long_fields():
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        try:
            for row in reader:
                if len(row) != 3 or row[0] not in ("1", "2", "3", "4"):
                    shown = ",".join(row)[:60]
                    raise InputError(
                        f"{path}: line {line} is no class 1 to 4, title and description: {shown}"
                    )
                text = f"{row[1]} {row[2]}"
                texts.append(text)
                labels.append(int(row[0]) - 1)
                lost += broken and "\ufffd" in text
                line = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"{path}: line {line}: {error}") from None
    if not texts:
        raise InputError(f"{path}: no rows")
    examples = Examples(texts, np.array(labels, dtype=np.int64), numbered(len(texts)))
    return examples, lost_note(str(path), lost)


_entry = partial(
    Entry,
    modality="text",
    classes=CLASSES,
    shape=(),
    licence="none stated; for non-commercial use, cite the paper",
    citation="Zhang, Zhao, LeCun 2015, Character-level convolutional networks for text "
    "classification, NeurIPS",
    homepage="http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html",
    folder="ag-news",
)

AG_NEWS = _entry(
    name="ag-news",
    summary="short news items of four kinds",
    sizes=(120_000, 7_600),
    load=load_ag_news,
    layouts=((TRAIN, TEST),),
    downloads=mirrored(MIRRORS, (TRAIN_FILE, TEST_FILE)),
)
AG_NEWS_7600 = _entry(
    name="ag-news-7600",
    summary="the test file of ag-news alone: no test split, to be judged by folds",
    sizes=(7_600, 0),
    load=load_7600,
    hash="bd4889a1e25827125e450defac94e2e4f2eb55f5057f506ce2d21daab87c1fe4",
    layouts=((TEST,),),
    downloads=mirrored(MIRRORS, (TEST_FILE,)),
)
