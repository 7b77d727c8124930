"""Fashion-MNIST: 70,000 pictures of clothes from a shop, 28 x 28 grey, laid out as MNIST.

Source: H. Xiao, K. Rasul, R. Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking
machine learning algorithms", arXiv:1708.07747.
"""

from functools import partial

from bakeoff.data.idx import load_idx
from bakeoff.data.mnist import FILES
from bakeoff.data.sources import Entry, mirrored

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
DOWNLOADS = mirrored(
    MIRRORS,
    (
        (
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
)

FASHION_MNIST = Entry(
    name="fashion-mnist",
    summary="pictures of clothes, 28 x 28 grey",
    modality="image",
    classes=CLASSES,
    shape=(28, 28, 1),
    sizes=(60_000, 10_000),
    licence="MIT",
    citation="Xiao, Rasul, Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    load=partial(load_idx, "fashion-mnist", CLASSES),
    folder="fashion-mnist",
    hash="ca384cef4e91e0188d620c28f804eeeda77c658acde0a2065aaaf949f76f0df3",
    layouts=(FILES,),
    downloads=DOWNLOADS,
)
