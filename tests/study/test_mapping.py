"""Maps of all vectors of a fitted encoder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.study.tiny import openings, run, study

from bakeoff.core.errors import InputError
from bakeoff.core.table import read_csv
from bakeoff.data.catalogue import load
from bakeoff.study.mapping import How, Mapped, Outputs, map_vectors
from bakeoff.study.predict import LoadedCell, load_fitted

MLP = {"technique": "mlp", "model": {"hidden": [8]}, "training": {"epochs": 1}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a perceptron, which has vectors; not to be written into."""
    out = tmp_path_factory.mktemp("map") / "run"
    run(out, study(variants={"mlp": MLP, "knn": {"technique": "knn"}}))
    return out


@pytest.fixture
def fitted(folder: Path) -> LoadedCell:
    return load_fitted(f"{folder}:mlp")


def test_all_training_and_validation_examples(fitted: LoadedCell, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "map.csv", tmp_path / "map.png", tmp_path / "vectors.npy")
    made = map_vectors(fitted, None, outputs, How(method="pca"))
    sizes = fitted.record.sizes
    rows = read_csv(tmp_path / "map.csv")
    assert made.points == len(rows["id"]) == sizes["train"] + sizes["validation"]
    assert rows["part"].count("train") == sizes["train"]
    assert rows["part"].count("validation") == sizes["validation"]
    right = [a == b for a, b in zip(rows["label"], rows["prediction"], strict=True)]
    assert np.mean(right[sizes["train"] :]) == fitted.record.metrics["validation/accuracy"]
    vectors = np.load(tmp_path / "vectors.npy", allow_pickle=False)
    assert vectors.shape == (made.points, made.dimension) == (made.points, 8)
    places = np.stack([np.array(rows[axis], float) for axis in "xy"], axis=1)
    assert np.allclose(places.var(axis=0), np.linalg.eigvalsh(np.cov(vectors.T, ddof=0))[:-3:-1])
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size[0] > 1000
    assert 0 < made.kept < 1
    assert 0.5 < made.trustworthiness <= 1


def test_a_catalogues_test_split_is_noted(fitted: LoadedCell, tmp_path: Path) -> None:
    before = len(openings())
    made = map_vectors(fitted, "digits", Outputs(tmp_path / "map.csv"), How(method="pca"))
    assert (made.points, made.asked) == (898, 500)
    assert set(read_csv(tmp_path / "map.csv")["part"]) == {""}
    assert len(openings()) == before + 1


def test_images_of_ones_own_by_tsne(fitted: LoadedCell, tmp_path: Path) -> None:
    """Twice the same bits, and other ones with another seed or perplexity."""
    test = load("digits").test
    assert test is not None
    np.save(tmp_path / "new.npy", np.asarray(test.items)[:60])
    written = []
    for how in (How(perplexity=10), How(perplexity=10), How(perplexity=5)):
        made = map_vectors(fitted, str(tmp_path / "new.npy"), Outputs(tmp_path / "m.csv"), how)
        assert (made.points, made.asked) == (60, 60)
        assert made.kept > 0.3
        written.append((tmp_path / "m.csv").read_bytes())
    assert written[0] == written[1] != written[2]
    assert set(read_csv(tmp_path / "m.csv")["label"]) == {""}


def test_who_drew_is_told(
    fitted: LoadedCell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra scikit-learn draws many points, too, and what is quicker is said."""
    test = load("digits").test
    assert test is not None
    np.save(tmp_path / "new.npy", np.asarray(test.items)[:60])

    def made(how: How) -> Mapped:
        return map_vectors(fitted, str(tmp_path / "new.npy"), Outputs(tmp_path / "m.csv"), how)

    assert made(How("pca")).program == "NumPy"
    assert made(How(perplexity=5)).program == "scikit-learn"
    assert not made(How(perplexity=5)).notes
    monkeypatch.setattr("bakeoff.analysis.projections.LARGE", 50)
    monkeypatch.setattr("bakeoff.study.mapping.LARGE", 50)
    monkeypatch.setattr("bakeoff.analysis.projections.find_spec", lambda name: None)
    found = made(How(perplexity=5))
    assert found.program == "scikit-learn"
    (note,) = found.notes
    assert note.startswith("scikit-learn drew 60 points; openTSNE (extra: tsne), which is not")


def test_one_point_is_not_mapped(tmp_path: Path, folder: Path) -> None:
    fitted = load_fitted(f"{folder}:mlp")
    network = fitted.predictor.network  # type: ignore[attr-defined]
    network.parameters["hidden-1.weight"][...] = 0
    network.parameters["hidden-1.bias"][...] = 1
    with pytest.raises(InputError, match="its vectors lie at one point: it has collapsed"):
        map_vectors(fitted, "digits", Outputs(tmp_path / "map.csv"), How())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recipe", "source", "how", "message"),
    [
        ("mlp", "digits", How(perplexity=400), "perplexity: 400 received for 898 points"),
        ("knn", "digits", How(), "the technique knn gives no vectors"),
        ("mlp", "nowhere", How(), "nowhere: neither a file"),
    ],
)
def test_what_cannot_be_mapped(
    recipe: str, source: str, how: How, message: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        map_vectors(load_fitted(f"{folder}:{recipe}"), source, Outputs(tmp_path / "map.csv"), how)
    assert not list(tmp_path.iterdir())
