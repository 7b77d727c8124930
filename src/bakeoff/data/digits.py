"""Digits: 1,797 handwritten digits, 8 x 8 grey, that come with scikit-learn. Always at hand.

Source: E. Alpaydin, C. Kaynak 1998, "Optical recognition of handwritten digits", UCI Machine
Learning Repository; its test part, as scikit-learn bundles it.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Examples
from bakeoff.core.streams import Streams
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.sources import Entry
from bakeoff.data.stratify import stratified_order

CLASSES = tuple("0123456789")
LARGEST_PIXEL = 16


def load_digits(_folder: Path) -> Dataset:
    """The set, half of it test by one stratified draw that never changes.

    Pixels are counts 0..16 of black dots; they are spread over 0..255.
    """
    table = _bundled()
    pixels = np.rint(table[:, :-1] * (255 / LARGEST_PIXEL)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = table[:, -1].astype(np.int64)
    whole = Examples(pixels, labels, numbered(len(labels)))
    # The file goes writer by writer, so its first half would be other people than its second.
    order = stratified_order(labels, Streams(0, "digits").generator("test").random(len(labels)))
    half = len(labels) // 2
    train, test = np.sort(order[half:]), np.sort(order[:half])
    return Dataset("digits", "image", CLASSES, whole.take(train), whole.take(test))


def _bundled() -> NDArray[np.float64]:
    """(1797, 65): 64 pixels and the label, as scikit-learn bundles them.

    The file is read where it lies, because importing scikit-learn takes more than a second; a
    release that has moved it is asked for the numbers instead.
    """
    package = find_spec("sklearn")
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits as load_bundled

    bundled = load_bundled()
    return np.column_stack([bundled.data, bundled.target]).astype(np.float64)


DIGITS = Entry(
    name="digits",
    summary="handwritten digits, 8 x 8 grey, part of scikit-learn; half of them test",
    modality="image",
    classes=CLASSES,
    shape=(8, 8, 1),
    sizes=(899, 898),
    licence="CC BY 4.0",
    citation="Alpaydin, Kaynak 1998, Optical recognition of handwritten digits, UCI",
    homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    load=load_digits,
    hash="aaff71d45e361102071db899ca0f00b1ccc9440767b57d56c2e605a3b63ff141",
)
