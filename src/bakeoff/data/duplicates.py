"""Duplicates: exact by digest, near by what people would call the same picture or the same text.

Near duplicates of images stand out from their neighbourhood. Each image is reduced to 14 x 14 grey
values of mean 0 and length 1; a pair is reported if the image's nearest neighbour is at most half
as far as neighbours of it usually are (the ratio test of Lowe 2004, "Distinctive image features
from scale-invariant keypoints", section 7.1, with the median nearest neighbour of eight parts of
the data in place of the second). A fixed threshold will not do: two different trousers are more
alike than two copies of a photograph of which one was cropped.

On CIFAR-10 this reports 214 test images with a near duplicate in train: 133 of the 286 that Barz
and Denzler found with a trained network and by eye (2020, "Do we train on test data?", Journal of
Imaging 6(6):41), and 81 others, nearly all of them the same photograph too.

Texts are compared as sets of runs of three words: candidates by MinHash (Broder 1997, "On the
resemblance and containment of documents"), then exactly.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Items
from bakeoff.core.streams import Streams

Pairs = NDArray[np.int64]
"""(P, 2): the position of an item and of the one it repeats."""

SIDE = 14
SMALLEST_SIDE = 16
"""Images below this say too little: different handwritten digits of 8 x 8 are often near."""
MOST_IMAGES = 100_000
"""Above this, comparing all with all takes longer than people wait."""
PARTS = 8
RANK = 4
"""Of the eight nearest neighbours, the distance of the fifth is the usual one."""
RATIO = 0.5
LEAST_SIMILARITY = 0.75
BLOCK = 1024
LEAST_IMAGES = 64

HASHES = 48
BANDS = 12
RUN = 3
LEAST_JACCARD = 0.7


def exact_pairs(digests: NDArray[np.uint64], others: NDArray[np.uint64] | None = None) -> Pairs:
    """Items that repeat an earlier one, or, with `others`, one of those.

    Args:
        digests: (N,) uint64, from `item_digests`.
        others: (M,) uint64 or None.

    Returns:
        (P, 2) int64: position in `digests`, first position of the same item in `others` (or
        earlier in `digests`). At most one pair an item.
    """
    pool = digests if others is None else others
    values, first = np.unique(pool, return_index=True)
    if not len(values):
        return np.zeros((0, 2), dtype=np.int64)
    place = np.minimum(np.searchsorted(values, digests), len(values) - 1)
    found = values[place] == digests
    if others is None:
        found &= first[place] < np.arange(len(digests))
    rows = np.flatnonzero(found)
    return np.stack([rows, first[place[rows]]], axis=1).astype(np.int64)


def signatures(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 196) float32: 14 x 14 mean grey values, less their mean, of length 1; 0 where flat.

    Args:
        images: (N, H, W, C) uint8 with H, W >= 14.
    """
    _, height, width, channels = images.shape
    weights = np.array([0.299, 0.587, 0.114] if channels == 3 else [1 / channels] * channels)
    down, across = _averaging(height), _averaging(width)
    out = np.empty((len(images), SIDE * SIDE), dtype=np.float32)
    for start in range(0, len(images), BLOCK):
        grey = images[start : start + BLOCK] @ weights.astype(np.float32)
        small = (down @ grey @ across.T).reshape(len(grey), -1)
        small -= small.mean(axis=1, keepdims=True)
        length = np.linalg.norm(small, axis=1, keepdims=True)
        # Below a third of a grey level on average there is nothing but rounding.
        out[start : start + BLOCK] = np.where(length > SIDE / 3, small / np.maximum(length, 1), 0)
    return out


def near_images(
    queries: NDArray[np.float32], others: NDArray[np.float32] | None = None
) -> tuple[Pairs, NDArray[np.float32]]:
    """Near duplicates of images, at most one for each.

    Args:
        queries: (N, 196) signatures.
        others: (M, 196) signatures to search; None: `queries` themselves.

    Returns:
        (P, 2) pairs, and (P,) float32 cosine similarities. Within one set, a pair is told once.
    """
    pool = queries if others is None else others
    if len(pool) < LEAST_IMAGES:
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32)
    similarity, nearest = _nearest_by_part(queries, pool, itself=others is None)
    order = np.argsort(-similarity, axis=1, kind="stable")
    rows = np.arange(len(queries))
    best, usual = similarity[rows, order[:, 0]], similarity[rows, order[:, RANK]]
    match = nearest[rows, order[:, 0]]
    # Of unit vectors the squared distance is 2 - 2 * similarity.
    near = (best >= LEAST_SIMILARITY) & (1 - best <= RATIO**2 * (1 - usual))
    if others is None:
        mutual = near[match] & (match[match] == rows)
        near &= ~(mutual & (match > rows))
    chosen = np.flatnonzero(near)
    return np.stack([chosen, match[chosen]], axis=1).astype(np.int64), best[chosen]


def _nearest_by_part(
    queries: NDArray[np.float32], pool: NDArray[np.float32], *, itself: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, 8) similarity and position of the nearest in each eighth of `pool`."""
    # Neighbours in a file often belong together; every eighth item is as good as a random part.
    parts = [np.arange(part, len(pool), PARTS) for part in range(PARTS)]
    shuffled = [np.ascontiguousarray(pool[part].T) for part in parts]
    similarity = np.empty((len(queries), PARTS), dtype=np.float32)
    nearest = np.empty((len(queries), PARTS), dtype=np.int64)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        rows = np.arange(len(block))
        for i, (part, columns) in enumerate(zip(parts, shuffled, strict=True)):
            products = block @ columns
            if itself:
                own = rows[(start + rows) % PARTS == i]
                products[own, (start + own) // PARTS] = -1
            best = products.argmax(axis=1)
            similarity[start : start + BLOCK, i] = products[rows, best]
            nearest[start : start + BLOCK, i] = part[best]
    return similarity, nearest


def _averaging(length: int) -> NDArray[np.float32]:
    """(14, length): each row averages its share of the pixels, fractions of them too."""
    edges = np.linspace(0, length, SIDE + 1)
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    overlap = np.maximum(overlap, 0)
    shares: NDArray[np.float64] = overlap / overlap.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def near_texts(texts: Sequence[str]) -> tuple[Pairs, NDArray[np.float32]]:
    """Texts that share at least 70 % of their runs of three words with an earlier one.

    Case and punctuation do not count. A pair with J = 0.7 is found with a chance of 96 %, one with
    0.8 of 99.8 %.

    Returns:
        (P, 2) pairs (position, an earlier position), and (P,) float32 Jaccard similarities; at most
        one pair a text, the most similar of the candidates.
    """
    runs, starts = _word_runs(texts)
    if not len(texts):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32)
    sets = [np.unique(part) for part in np.split(runs, starts[1:])]
    found: dict[int, tuple[float, int]] = {}
    seen: set[tuple[int, int]] = set()
    for later, earlier in _candidates(_minhashes(runs, starts)):
        if (later, earlier) in seen:
            continue
        seen.add((later, earlier))
        a, b = sets[later], sets[earlier]
        common = len(np.intersect1d(a, b, assume_unique=True))
        jaccard = common / max(len(a) + len(b) - common, 1)
        if jaccard >= LEAST_JACCARD and (jaccard, -earlier) > found.get(later, (0.0, 0)):
            found[later] = (jaccard, -earlier)
    pairs = np.array([(i, -found[i][1]) for i in sorted(found)], dtype=np.int64).reshape(-1, 2)
    return pairs, np.array([found[i][0] for i in sorted(found)], dtype=np.float32)


def _word_runs(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of all runs of three words, text after text, and where each text begins.

    A text of fewer words counts as one run; one without words is a run of its own.
    """
    vocabulary: dict[str, int] = defaultdict(lambda: len(vocabulary) + 1)
    words: list[int] = []
    starts = []
    for i, text in enumerate(texts):
        starts.append(len(words))
        numbers = [vocabulary[word] for word in re.findall(r"\w+", text.casefold())]
        words += numbers or [vocabulary[f"\0 {i}"]]
        # Runs that cross into the next text are cut by the padding.
        words += [0] * (RUN - 1)
    ids = np.array([*words, *[0] * RUN], dtype=np.uint64)
    runs = ids[: len(words)].copy()
    with np.errstate(over="ignore"):
        for step in range(1, RUN):
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + ids[step : step + len(words)]
        runs ^= runs >> np.uint64(29)
    return _whole_runs(ids, runs, np.array(starts, dtype=np.int64))


def _whole_runs(
    ids: NDArray[np.uint64], runs: NDArray[np.uint64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Keep runs without padding, and of shorter texts the first."""
    whole = ids[: len(runs)] > 0
    for step in range(1, RUN):
        whole &= ids[step : step + len(runs)] > 0
    whole[starts] = True
    counts = np.add.reduceat(whole, starts, dtype=np.int64)
    return runs[whole], np.cumsum(counts) - counts


def _minhashes(runs: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(N, 48): the smallest value of each of 48 random hash functions over a text's runs."""
    generator = Streams(0, "minhash").generator("functions")
    factors = generator.integers(2**63, size=HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = generator.integers(2**63, size=HASHES, dtype=np.uint64)
    out = np.empty((len(starts), HASHES), dtype=np.uint64)
    for i in range(HASHES):
        mixed = runs * factors[i] + offsets[i]
        mixed ^= mixed >> np.uint64(32)
        out[:, i] = np.minimum.reduceat(mixed * np.uint64(0xD6E8FEB86659FD93), starts)
    return out


def _candidates(minhashes: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """Pairs (later, earlier) that agree in a whole band: each with the first and the last one."""
    pairs: list[tuple[int, int]] = []
    rows = HASHES // BANDS
    for band in range(BANDS):
        part = minhashes[:, band * rows : (band + 1) * rows]
        order = np.lexsort(part.T)
        same = (part[order[1:]] == part[order[:-1]]).all(axis=1)
        first = order[0]
        for i in range(1, len(order)):
            if not same[i - 1]:
                first = order[i]
                continue
            for other in {int(first), int(order[i - 1])}:
                pairs.append((max(int(order[i]), other), min(int(order[i]), other)))
    return pairs


def can_compare(items: Items) -> str | None:
    """Why near duplicates are not looked for; None where they are."""
    if not isinstance(items, np.ndarray):
        return None
    if items.ndim == 2:
        return "rows of numbers that are close are nothing unusual"
    if min(items.shape[1:3]) < SMALLEST_SIDE:
        return f"images below {SMALLEST_SIDE} x {SMALLEST_SIDE} are too small to tell"
    if len(items) > MOST_IMAGES:
        return f"more than {MOST_IMAGES:,} images"
    return None
