"""Hashes of examples: what makes two data sets the same, and two items duplicates."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Examples, Items
from bakeoff.core.files import canonical_json


def examples_hash(examples: Examples, classes: tuple[str, ...]) -> str:
    """SHA-256 of items, labels and class names; identities and groups are no part of it.

    Args:
        examples: N examples; images may be memory-mapped.
        classes: The names the labels stand for.

    Returns:
        64 hexadecimal digits, the same on every platform.
    """
    state = hashlib.sha256(canonical_json(["examples", list(classes), len(examples)]))
    of_classes = examples.labels.dtype.kind in "iu"
    labels = np.ascontiguousarray(examples.labels, dtype="<i8" if of_classes else "<f8")
    state.update(labels.tobytes())
    if isinstance(examples.items, np.ndarray):
        state.update(canonical_json(list(examples.items.shape)))
        if examples.items.size:
            # A view of the bytes: 150 MB of images are hashed without being copied.
            state.update(np.ascontiguousarray(examples.items).data.cast("B"))
    else:
        texts = [_bytes(text) for text in examples.items]
        state.update(np.array([len(text) for text in texts], dtype="<i8").tobytes())
        for text in texts:
            state.update(text)
    return state.hexdigest()


def item_digests(items: Items) -> NDArray[np.uint64]:
    """(N,) uint64: equal for equal items, and otherwise as good as random.

    Two different items of a million share a digest with a chance of about 3e-8.
    """
    if isinstance(items, np.ndarray):
        rows = np.ascontiguousarray(items).reshape(len(items), -1)
        parts = (row.tobytes() for row in rows)
    else:
        parts = (_bytes(text) for text in items)
    digests = b"".join(hashlib.blake2b(part, digest_size=8).digest() for part in parts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _bytes(text: str) -> bytes:
    # Broken JSON escapes give lone surrogates, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")
