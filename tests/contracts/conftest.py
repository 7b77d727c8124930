"""Where a contract needs pretrained weights, small seeded ones stand in for named ones."""

from collections.abc import Iterator

import pytest
from tests.models.tiny import save_tiny


@pytest.fixture(scope="package", autouse=True)
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("models")
    save_tiny(home / "minilm", "bert", limit=128, layers=3)
    save_tiny(home / "smollm2", "llama", limit=128)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAKEOFF_MODELS", str(home))
        yield
