"""What is odd about the texts of a data set: lost characters, mark-up, control characters, lengths.

Nothing is repaired here: techniques read texts as they are, and a count tells whether that matters.
"""

import re
from collections.abc import Sequence

import numpy as np

from bakeoff.core.examples import Examples

LONG_LINE = 1_000_000
"""Characters without a line break that are more likely a whole file than a text."""
FAULTS = {
    "hold the sign for a lost character": re.compile("\ufffd"),
    # Windows-1252 read as Latin-1 leaves these; nobody types them.
    "hold control characters of Latin-1 (U+0080 to U+009F; Windows-1252 read as Latin-1?)": (
        re.compile("[\u0080-\u009f]")
    ),
    # UTF-8 read as Windows-1252 or Latin-1: two or three signs for one.
    "hold pairs of signs as UTF-8 read as Windows-1252 gives (Ã©, â€™)": re.compile(
        "[\u00c2\u00c3][\u0080-\u00bf]|\u00e2[\u0080\u20ac][\u0080-\u00bf\u2018-\u203a\u0153\u2122]"
    ),
    "hold control characters": re.compile("[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]"),
    "hold HTML tags": re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>"),
    "hold HTML entities": re.compile(r"&(?:[A-Za-z]{2,8}|#[0-9]{2,7}|#x[0-9A-Fa-f]{2,6});"),
    "hold remains of HTML entities (#39;, quot;)": re.compile(
        r"(?<![&\w])(?:#[0-9]{2,5}|amp|quot|lt|gt|nbsp);"
    ),
}
"""What is counted: in how many texts each is found."""


def text_remarks(name: str, examples: Examples) -> list[str]:
    """One sentence for each oddity of a split's texts, and one for their lengths.

    Args:
        name: Of the split.
        examples: Texts.
    """
    texts: Sequence[str] = list(examples.items)
    out = []
    for what, pattern in FAULTS.items():
        found = [i for i, text in enumerate(texts) if pattern.search(text)]
        if found:
            out.append(f"{name}: {_texts(found, len(texts))} {what}: {some_ids(examples, found)}")
    long = [
        i
        for i, text in enumerate(texts)
        if len(text) > LONG_LINE and max(map(len, text.split("\n"))) > LONG_LINE
    ]
    if long:
        what = f"have a line of more than {LONG_LINE:,} characters"
        out.append(f"{name}: {_texts(long, len(texts))} {what}: {some_ids(examples, long)}")
    words = np.array([len(text.split()) for text in texts])
    if len(words):
        middle, most, longest = np.quantile(words, [0.5, 0.95, 1], method="nearest").tolist()
        out.append(
            f"{name}: half of the texts have at most {middle:,} words, 95 % at most {most:,}, "
            f"the longest {longest:,}"
        )
    return out


def _texts(found: list[int], count: int) -> str:
    return f"{len(found):,} of {count:,} texts"


def some_ids(examples: Examples, positions: list[int]) -> str:
    """The ids of the first three examples of some, and whether there are more."""
    shown = ", ".join(str(examples.ids[i]) for i in positions[:3])
    return shown + (", ..." if len(positions) > 3 else "")
