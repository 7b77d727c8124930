"""Named random streams.

Everything random in a cell draws from a stream that is a function of (seed, name, counter) alone.
Two recipes with the same seed therefore share every draw they have in common, and a recipe with
one more layer or one more augmentation does not move the draws of the others.
Source: counter-based generators, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
(Philox, through NumPy), keyed here by a BLAKE2b hash of the name.
"""

from hashlib import blake2b
from operator import index

import numpy as np

Name = str | int


class Streams:
    """The random streams of one replicate.

    Args:
        seed: The replicate's seed.
        scope: Names put in front of every stream's name (a fold, for instance).
    """

    def __init__(self, seed: int, *scope: Name) -> None:
        self.seed = index(seed)
        self._scope = scope

    def generator(self, *name: Name) -> np.random.Generator:
        """A fresh generator at the start of the named stream."""
        return np.random.Generator(np.random.Philox(key=self.integer(*name, bits=128)))

    def integer(self, *name: Name, bits: int = 63) -> int:
        """A non-negative integer of `bits` bits that is a function of the seed and the name."""
        parts = [_plain(part) for part in (*self._scope, *name)]
        text = repr((self.seed, *parts)).encode()
        return int.from_bytes(blake2b(text, digest_size=16).digest(), "little") >> (128 - bits)

    def within(self, *scope: Name) -> "Streams":
        """The same streams under a longer name."""
        return Streams(self.seed, *self._scope, *scope)


def _plain(part: Name) -> Name:
    """A part of a name as Python's own type: NumPy's print differently and would move the draws.

    Raises:
        TypeError: where it is neither a string nor an integer.
    """
    return str(part) if isinstance(part, str) else index(part)
