"""Perplexity and the protocol that it was measured by, without which a figure says nothing.

The same model and text give figures that differ by a third with context and stride, and by more
with the unit: so the protocol is part of a figure's name, and what differs in it is another figure.
"""

import math
import re
from typing import Annotated

from pydantic import Field, model_validator

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen, later
from bakeoff.core.measures import Unit


class Protocol(Frozen):
    """How a text was scored.

    Windows of `context` tokens begin every `stride` tokens; each scores those of its tokens that no
    window before has scored, given all that stand before them in the window. A text's first token
    has nothing before it and is not scored, unless `bos` puts one there; with a stride of the
    context, nor is each later window's.
    """

    context: Annotated[int, Field(ge=2)] = 1024
    """Tokens that the model sees at once."""
    stride: Annotated[int, Field(ge=1)] = 512
    """Tokens between the beginnings of two windows."""
    detokenised: bool = False
    """Whether marks that a corpus put between words and punctuation were taken out before."""
    bos: bool = later(False)
    """Whether the token that begins texts is put before each, in its first window alone; nothing
    else that a tokenizer puts around texts ever is."""

    @model_validator(mode="after")
    def _windows_touch(self) -> "Protocol":
        if self.stride > self.context:
            raise ValueError(
                f"stride {self.stride} received with context {self.context}: tokens between the "
                f"windows would not be scored (allowed: 1 to {self.context})"
            )
        return self

    def check(self, limit: int, where: str = "context") -> None:
        """Whether a model sees so many tokens.

        Args:
            limit: The most tokens it sees.
            where: What asked for them, to begin the message with.

        Raises:
            InputError: where they are more.
        """
        if self.context > limit:
            raise InputError(
                f"{where}: {self.context:,} received, but the model sees {limit:,} tokens at most "
                f"(allowed: 2 to {limit:,})"
            )

    def name(self, unit: Unit) -> str:
        """What a figure is called: `perplexity[token,context=1024,stride=512]`."""
        return f"perplexity[{unit},{self.words}]"

    @property
    def words(self) -> str:
        """All but the unit: `context=1024,stride=512,bos`."""
        flags = [name for name in ("detokenised", "bos") if getattr(self, name)]
        return ",".join([f"context={self.context}", f"stride={self.stride}", *flags])


def perplexity(nats: float, count: float) -> float:
    """exp(nats / count): infinite where that is beyond float64.

    Args:
        nats: Sum of the negative log-likelihoods of all scored tokens.
        count: Tokens scored, words or bytes; positive.
    """
    try:
        return math.exp(nats / count)
    except OverflowError:
        return math.inf


def figures(
    protocol: Protocol, nats: float, tokens: int, text: str, covered: float = 1.0
) -> dict[str, float]:
    """One figure a unit, each by its full name; without those beyond float64.

    Per word and per byte, the same nats are shared out among the words and the bytes of the text as
    it stood in its file, so that tokenisers of all kinds, and detokenised texts, can be compared.
    What no token was scored for is no part of them.

    Args:
        protocol: How the text was scored.
        nats: Of all scored tokens.
        tokens: How many were scored.
        text: As it stood in its file.
        covered: The share of it that these tokens stand for.
    """
    counts: dict[Unit, float] = {
        "token": tokens,
        "word": covered * word_count(text),
        "byte": covered * byte_count(text),
    }
    every = {unit: perplexity(nats, count) for unit, count in counts.items() if count}
    return {protocol.name(unit): value for unit, value in every.items() if math.isfinite(value)}


def word_count(text: str) -> int:
    """Words: what stands between white space. The end of a line is none."""
    return len(text.split())


def byte_count(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


# A pattern that begins with a run of spaces begins where the run does: tried at each of n spaces,
# it would take time of the order of n squared.
_JOINED = re.compile(r" @([-,.])@ ")
_HEADING = re.compile(r"=(?: =)+")
_QUOTED = re.compile(r"(\") ([^\"\n]*?) \"|(?<= )(') ([^'\n]*?) '(?= )")
_ENDING = re.compile(r"(?<! ) +([,.;:!?%)\]}])")
_BEGINNING = re.compile(r"([(\[{$£#]) +")
_SHORTENED = re.compile(r"(?<! ) +('(?:s|t|d|m|re|ve|ll)\b)")
_POSSESSIVE = re.compile(r"(s) +(')(?= )")


def detokenise(text: str) -> str:
    """A text of WikiText as people write it: `on the non @-@ profit 's ( new ) list .`.

    Marks inside words and numbers, and the spaces that the corpus put around punctuation, brackets,
    quotes and shortened words, go; `= = Section = =` becomes `== Section ==`. The corpus is that of
    Merity et al. 2016, "Pointer sentinel mixture models", arXiv:1609.07843; the first to score it
    so were Radford et al. 2019, "Language models are unsupervised multitask learners", whose own
    rules were not published.
    """
    text = _JOINED.sub(r"\1", text)
    text = _HEADING.sub(lambda found: found[0].replace(" ", ""), text)
    text = _SHORTENED.sub(r"\1", text)
    text = _POSSESSIVE.sub(r"\1\2", text)
    text = _QUOTED.sub(_joined, text)
    text = _ENDING.sub(r"\1", text)
    return _BEGINNING.sub(r"\1", text)


def _joined(found: re.Match[str]) -> str:
    """A quotation without the spaces inside its marks."""
    mark, inside = (found[1], found[2]) if found[1] else (found[3], found[4])
    return f"{mark}{inside}{mark}"
