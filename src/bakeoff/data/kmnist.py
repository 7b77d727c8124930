"""Kuzushiji-MNIST: 70,000 cursive Japanese characters, 28 x 28 grey; and its first 7,011.

Source: T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha 2018, "Deep learning
for classical Japanese literature", arXiv:1812.01718. The publisher offers IDX files and .npz files
with the same numbers; either will do.

`kmnist-7011` trains on the first 7,011 images alone and has the whole test split.
"""

from functools import partial
from pathlib import Path

import numpy as np

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset
from bakeoff.data.idx import grey_examples, load_idx
from bakeoff.data.mnist import FILES
from bakeoff.data.npz import read_npz
from bakeoff.data.sources import Entry, mirrored

CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
NPZ_TEST = ("kmnist-test-imgs.npz", "kmnist-test-labels.npz")
NPZ_FILES = ("kmnist-train-imgs.npz", "kmnist-train-labels.npz", *NPZ_TEST)
FIRST = 7011
FIRST_FILE = f"kmnist-train-{FIRST}.npz"
MIRRORS = (
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
)
DOWNLOADS = mirrored(
    MIRRORS,
    (
        (
            "train-images-idx3-ubyte.gz",
            18_165_135,
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            29_497,
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            3_041_136,
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            5_120,
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
)


def load_kmnist(folder: Path) -> Dataset:
    """All 60,000 + 10,000, from IDX or .npz files.

    Raises:
        InputError: where a file is missing or damaged, or does not fit the others.
    """
    if not all((folder / name).is_file() for name in NPZ_FILES):
        return load_idx("kmnist", CLASSES, folder)
    train = _npz_examples(folder, *NPZ_FILES[:2])
    return Dataset("kmnist", "image", CLASSES, train, _npz_examples(folder, *NPZ_TEST))


def load_first(folder: Path) -> Dataset:
    """The first 7,011 training images, from a file of their own or from the whole set.

    Raises:
        InputError: where a file is missing or damaged, or does not fit the others.
    """
    name = f"kmnist-{FIRST}"
    path = folder / FIRST_FILE
    if not path.is_file():
        whole = load_kmnist(folder)
        if len(whole.train) < FIRST:
            raise InputError(f"{folder}: {len(whole.train)} training images; {name} needs {FIRST}")
        return Dataset(name, "image", CLASSES, whole.train.take(np.arange(FIRST)), whole.test)
    images, labels = read_npz(path, "images"), read_npz(path, "labels")
    train = grey_examples(images, labels, len(CLASSES), str(path))
    return Dataset(name, "image", CLASSES, train, _npz_examples(folder, *NPZ_TEST))


def _npz_examples(folder: Path, images: str, labels: str) -> Examples:
    where = f"{folder / images} and {labels}"
    return grey_examples(read_npz(folder / images), read_npz(folder / labels), len(CLASSES), where)


_entry = partial(
    Entry,
    modality="image",
    classes=CLASSES,
    shape=(28, 28, 1),
    licence="CC BY-SA 4.0",
    citation="Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha 2018, Deep learning for "
    "classical Japanese literature, arXiv:1812.01718",
    homepage="https://github.com/rois-codh/kmnist",
    folder="kmnist",
    downloads=DOWNLOADS,
)

KMNIST = _entry(
    name="kmnist",
    summary="cursive Japanese characters, 28 x 28 grey",
    sizes=(60_000, 10_000),
    load=load_kmnist,
    layouts=(FILES, NPZ_FILES),
)
KMNIST_7011 = _entry(
    name=f"kmnist-{FIRST}",
    summary=f"the first {FIRST:,} training images of kmnist, and its whole test split",
    sizes=(FIRST, 10_000),
    load=load_first,
    hash="8cf22982bfc52638bb335d15f3f558ae0eec061571e6290c5562b7e24c2d4e81",
    layouts=((FIRST_FILE, *NPZ_TEST), FILES, NPZ_FILES),
)
