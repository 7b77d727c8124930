"""BERT-base, built from its configuration with seeded weights, through every probe.

12 layers of width 768, 12 heads, 30,522 tokens, 512 places: 109,482,240 parameters with the pooler,
as the published model has (Devlin et al. 2019, "BERT", section 3, says 110M).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.contracts.small import cell_of, resolved
from tests.models.tiny import VOCABULARY, save_tokenizer
from tests.techniques.conftest import MemoryRun

from bakeoff.core.cell import Key
from bakeoff.core.classification import Classification
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Arrays, Digests, Predictor, ToRows, TrainingData
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.techniques import find
from bakeoff.training.torch import token_inference

PARAMETERS, POOLER = 109_482_240, 768 * 768 + 768
TEXTS = (
    *("the film is good", "a great film", "she saw it", "it was fine", "the plot is great"),
    *("the film is bad", "an awful plot", "he saw it not", "it was dull", "the acting is awful"),
)
PROBES: dict[str, tuple[str, dict[str, Any]]] = {
    "softmax": ("probe", {"training": {"iterations": 3}}),
    "lbfgs": ("probe", {"training": {"solver": "lbfgs", "iterations": 3}}),
    "network-b": ("probe", {"classifier": {"hidden": [8]}, "training": {"iterations": 3}}),
    "cnn": ("probe", {"classifier": {"name": "cnn", "filters": 4}, "training": {"iterations": 3}}),
    "knn": ("knn", {"k": 3}),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as Hugging Face has it; 438 MB, gone after the tests."""
    import transformers

    from bakeoff.models.pretrained import quietly

    folder = tmp_path_factory.mktemp("weights") / "bert-base"
    with quietly(), torch.random.fork_rng([]):
        torch.manual_seed(0)
        config = transformers.BertConfig()
        assert (config.num_hidden_layers, config.hidden_size) == (12, 768)
        model: Any = transformers.BertModel(config)
        assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
        model.save_pretrained(str(folder))
    filled = [f"word{number}" for number in range(config.vocab_size - len(VOCABULARY))]
    save_tokenizer(folder, vocabulary=[*VOCABULARY, *filled], limit=512)
    yield folder
    (folder / "model.safetensors").unlink()


@pytest.fixture
def data() -> TrainingData:
    labels = np.repeat([1, 0], 5)

    def part(rows: list[int]) -> Examples:
        return Examples([TEXTS[i] for i in rows], labels[rows], np.array(rows).astype(np.str_))

    task = Classification(["no", "yes"])
    return TrainingData(task, "text", part([0, 1, 2, 5, 6, 7]), part([3, 4, 8, 9]), None)


class SharingRun(MemoryRun):
    """Computes what has a key once, as the cache does."""

    def __init__(self, kept: dict[Key, Arrays]) -> None:
        super().__init__()
        self._kept = kept

    def solve(self, phase: str, compute: Callable[[], Arrays], share: Key | None = None) -> Arrays:
        if share is None:
            return compute()
        if share not in self._kept:
            self._kept[share] = compute()
        return self._kept[share]

    def solve_rows(self, phase: str, digests: Digests, compute: ToRows, share: Key) -> NDArray[Any]:
        of_all = sha256(digests.tobytes()).hexdigest()
        return self.solve(phase, lambda: {"": compute(np.arange(len(digests)))}, share + of_all)[""]


def fitted(
    name: str, sections: dict[str, Any], data: TrainingData, run: MemoryRun, **inputs: Any
) -> Predictor:
    technique = find(name)
    recipe = Recipe(
        name="it",
        technique=name,
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=technique.settings.parse(sections),
    )
    cell = replace(cell_of(recipe), inputs=dict.fromkeys(inputs, "0123456789abcdef"))
    return technique.fit(cell, data, inputs, run)


@pytest.mark.parametrize(
    "model",
    [{"pooling": "cls"}, {"pooling": "mean"}, {"pooling": "max"}, {"layer": 6}],
    ids=["cls", "mean", "max", "layer-6"],
)
def test_through_every_probe(
    weights: Path,
    data: TrainingData,
    model: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(token_inference, "PASS_TOKENS", {"cpu": 16})
    section = {"weights": str(weights), "max_tokens": 8, **model}
    run = SharingRun({})
    encoder = fitted("pretrained", {"model": section}, data, run)
    blocks = model.get("layer", 12)
    block = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768
    means = 2 * 768
    assert sum(row.parameters for row in encoder.layers()) == (
        PARAMETERS - POOLER - (12 - blocks) * block + means
    )
    found = {}
    for name, (technique, sections) in PROBES.items():
        given = {**sections, "encoder": {"recipe": "it"}}
        predictor = fitted(technique, given, data, run, it=encoder)
        found[name] = predictor.predict(data.validation.items)
        assert found[name].shape == (4, 2), name
        np.testing.assert_allclose(found[name].sum(axis=1), 1, atol=1e-5, err_msg=name)
        assert np.ptp(found[name], axis=0).max() > 0, f"{name} reads the texts"
    if model == {"pooling": "mean"}:  # saved, and back: nothing but a reference to the weights
        predictor.save(tmp_path)
        again = find("knn").load(tmp_path)
        np.testing.assert_array_equal(again.predict(data.validation.items), found["knn"])
