"""Names and values of perplexities, and texts of WikiText as people write them."""

import math
import time

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.perplexity import (
    Protocol,
    byte_count,
    detokenise,
    figures,
    perplexity,
    word_count,
)


def test_the_protocol_is_in_the_name() -> None:
    assert Protocol().name("token") == "perplexity[token,context=1024,stride=512]"
    detokenised = Protocol(context=8, stride=8, detokenised=True)
    assert detokenised.name("byte") == "perplexity[byte,context=8,stride=8,detokenised]"
    assert Protocol(context=8, stride=8, bos=True).words == "context=8,stride=8,bos"


def test_figures_beyond_float64_are_left_out() -> None:
    found = figures(Protocol(context=8, stride=4), 800.0, 10, "x" * 100)
    assert found == {
        "perplexity[token,context=8,stride=4]": math.exp(80),
        "perplexity[byte,context=8,stride=4]": math.exp(8),
    }


def test_figures_share_the_same_nats_among_units() -> None:
    protocol, text = Protocol(context=4, stride=2), "two words\nand öthers\n"
    found = figures(protocol, 12.0, 6, text)
    assert found == {
        "perplexity[token,context=4,stride=2]": math.exp(12 / 6),
        "perplexity[word,context=4,stride=2]": math.exp(12 / 4),
        "perplexity[byte,context=4,stride=2]": math.exp(12 / 22),
    }
    assert (word_count(text), byte_count(text)) == (4, 22)
    half = figures(protocol, 12.0, 6, text, covered=0.5)
    assert half["perplexity[word,context=4,stride=2]"] == math.exp(12 / 2)
    assert half["perplexity[token,context=4,stride=2]"] == math.exp(12 / 6)


def test_what_is_beyond_numbers_is_infinite() -> None:
    assert perplexity(1e6, 10) == math.inf


def test_windows_must_touch() -> None:
    with pytest.raises(InputError, match="stride 9 received with context 8"):
        Protocol.parse({"context": 8, "stride": 9})


def test_a_context_beyond_the_models_is_refused() -> None:
    Protocol(context=64, stride=1).check(64)
    with pytest.raises(InputError, match=r"--context: 65 received, .* 64 tokens at most"):
        Protocol(context=65, stride=1).check(64, "--context")


@pytest.mark.parametrize(
    ("tokenised", "plain"),
    [
        (" = Robert Boulter = \n", " = Robert Boulter = \n"),
        (" = = Career = = \n", " == Career == \n"),
        ("a guest @-@ starring role ,", "a guest-starring role,"),
        ("1 @,@ 234 @.@ 5 %", "1,234.5%"),
        ('the episode " Teddy \'s Story " of', 'the episode "Teddy\'s Story" of'),
        ("he did n 't , I 'll", "he did n't, I'll"),
        ("( see below ) costs $ 5 .", "(see below) costs $5."),
        ("the actors ' union ; then :", "the actors' union; then:"),
        ("a ' small ' one", "a 'small' one"),
    ],
)
def test_detokenised(tokenised: str, plain: str) -> None:
    assert detokenise(tokenised) == plain


@pytest.mark.parametrize("part", [" ", "' ", '" ', "s ", "( ", "= ", " ,", "@ ", "\" a 's ' "])
def test_detokenising_takes_time_in_proportion_to_the_text(part: str) -> None:
    """A million letters of any kind in a run; of spaces it took hours."""
    text = "a" + part * (1_000_000 // len(part)) + "b"
    began = time.process_time()
    detokenise(text)
    assert time.process_time() - began < 10


def test_runs_of_spaces_go_whole() -> None:
    assert detokenise("a   , b    's c    d") == "a, b's c    d"


def test_detokenising_twice_changes_nothing() -> None:
    text = detokenise('" A " ( b ) , c @-@ d 1 @,@ 000 = = E = =')
    assert detokenise(text) == text
