"""How varied generated texts are, and how much they repeat themselves."""

from collections.abc import Sequence

from bakeoff.core.errors import InputError


def distinct(texts: Sequence[Sequence[object]], length: int) -> float:
    """Distinct-n: different n-grams of all texts together, over all their n-grams; 0 without any.

    Source: Li et al. 2016, "A diversity-promoting objective function for neural conversation
    models", arXiv:1510.03055, section 5.

    Args:
        texts: Tokens or words of each.
        length: n, from 1.

    Raises:
        InputError: where n is below 1.
    """
    grams = [gram for text in texts for gram in _grams(text, length)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repetition(text: Sequence[object], length: int) -> float:
    """seq-rep-n: the share of a text's n-grams that came before in it; 0 without any.

    Source: Welleck et al. 2020, "Neural text generation with unlikelihood training",
    arXiv:1908.04319, section 6.

    Args:
        text: Tokens or words.
        length: n, from 1.

    Raises:
        InputError: where n is below 1.
    """
    grams = _grams(text, length)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def variety(texts: Sequence[Sequence[object]]) -> dict[str, float]:
    """`distinct_1`, `distinct_2` and `distinct_3`, and the mean `repetition_4` of the texts."""
    found = {f"distinct_{n}": distinct(texts, n) for n in (1, 2, 3)}
    repeated = [repetition(text, 4) for text in texts]
    return found | {"repetition_4": sum(repeated) / len(repeated) if repeated else 0.0}


def _grams(text: Sequence[object], length: int) -> list[tuple[object, ...]]:
    if length < 1:
        raise InputError(f"n-grams: a length of {length} received (allowed: from 1)")
    return [tuple(text[i : i + length]) for i in range(len(text) - length + 1)]
