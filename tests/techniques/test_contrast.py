"""What contrastive encoders share: which model, which loss, class means from the same examples."""

import numpy as np
import pytest
import torch

from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.models.settings import SimpleCnnSettings
from bakeoff.techniques.contrast import ContrastiveSettings, TextTrunkSettings, loss_of
from bakeoff.training.torch.contrastive import ContrastiveLoss


def test_models_of_images_and_of_texts() -> None:
    assert isinstance(ContrastiveSettings().model, SimpleCnnSettings)
    assert isinstance(ContrastiveSettings.parse({"model": {"width": 8}}).model, SimpleCnnSettings)
    text = ContrastiveSettings.parse({"model": {"name": "pretrained", "max_tokens": 32}}).model
    assert isinstance(text, TextTrunkSettings)
    assert text.max_tokens == 32
    with pytest.raises(InputError, match="did you mean 'pretrained'"):
        ContrastiveSettings.parse({"model": {"name": "pretraned"}})
    with pytest.raises(InputError, match="augmentation received with model pretrained"):
        ContrastiveSettings.parse({"model": {"name": "pretrained"}, "augmentation": {"flip": True}})


def test_the_loss_is_the_one_asked_for() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn((8, 4), generator=generator), dim=1)
    labels = torch.arange(8) % 2
    for content, direct in (
        ({"name": "triplet", "margin": 0.7, "mining": "batch-hard"},
         ContrastiveLoss(Streams(0), 0.7, "batch-hard")),
        ({"name": "supervised-contrastive", "temperature": 0.3},
         ContrastiveLoss(Streams(0), None, temperature=0.3)),
    ):  # fmt: skip
        ours = loss_of(ContrastiveSettings.parse({"loss": content}), Streams(0))
        wanted = direct(vectors, labels)["loss"].item()
        assert np.isfinite(wanted)
        assert ours(vectors, labels)["loss"].item() == wanted
