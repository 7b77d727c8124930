"""`bakeoff generate` on a small model."""

import json
from pathlib import Path

import pytest
from tests.cli.calling import Caller, assert_clear
from tests.models.causal_models import KINDS, save_causal


@pytest.fixture(scope="module", params=KINDS)
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp(request.param), request.param)


def test_texts_and_variety(bakeoff: Caller, weights: Path) -> None:
    options = ("--top-p", "0.9", "--seed", "3", "--max-tokens", "8", "--count", "2", "--json")
    called = bakeoff("generate", weights, "the old mill", "bread", *options)
    assert called.code == 0, called
    found = json.loads(called.out)
    assert [row["prompt"] for row in found["texts"]] == ["the old mill"] * 2 + ["bread"] * 2
    assert found["settings"]["sample"] is True
    assert set(found["variety"]) == {"distinct_1", "distinct_2", "distinct_3", "repetition_4"}
    assert bakeoff("generate", weights, "the old mill", "bread", *options).out == called.out


def test_for_people(bakeoff: Caller, weights: Path) -> None:
    called = bakeoff("generate", weights, "the old mill", "--max-tokens", "5", "--beams", "2")
    assert called.code == 0, called
    assert called.out.startswith("the old mill")
    assert called.out.splitlines()[-1].startswith("distinct-1 ")
    assert bakeoff("generate", weights, "", "--max-tokens", "5").code == 0


def test_a_text_that_meets_the_limit_is_told(bakeoff: Caller, weights: Path) -> None:
    called = bakeoff("generate", weights, "bread", "the old mill", "--max-tokens", "64")
    assert called.code == 0, called
    assert "of 2 texts end at the model's limit of 64 tokens, prompt included" in called.err
    assert "limit" not in bakeoff("generate", weights, "bread", "--max-tokens", "8").err


def test_bad_input(bakeoff: Caller, weights: Path) -> None:
    for arguments, told in (
        (("a", "--top-p", "2"), "--top-p"),
        (("a", "--top-k", "0"), "--top-k"),
        (("a", "--temperature", "0"), "--temperature"),
        (("a", "--temperature", "nan"), "temperature"),
        (("a", "--beams", "2", "--sample"), "beams 2 received with sample"),
        (("a", "--count", "2"), "--count: 2 received"),
        (("the old mill " * 40,), "the model sees 64 at most"),
    ):
        assert told in assert_clear(bakeoff("generate", weights, *arguments))
