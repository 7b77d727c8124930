"""MNIST: 70,000 handwritten digits, 28 x 28 grey.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner 1998, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86(11). The publisher's own address has refused
downloads for years; the mirrors serve the same bytes.
"""

from functools import partial

from bakeoff.data.idx import load_idx
from bakeoff.data.sources import Entry, mirrored

CLASSES = tuple("0123456789")
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
DOWNLOADS = mirrored(
    MIRRORS,
    (
        (
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
)

MNIST = Entry(
    name="mnist",
    summary="handwritten digits, 28 x 28 grey",
    modality="image",
    classes=CLASSES,
    shape=(28, 28, 1),
    sizes=(60_000, 10_000),
    licence="CC BY-SA 3.0",
    citation="LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document "
    "recognition",
    homepage="http://yann.lecun.com/exdb/mnist/",
    load=partial(load_idx, "mnist", CLASSES),
    folder="mnist",
    layouts=(FILES,),
    downloads=DOWNLOADS,
)
