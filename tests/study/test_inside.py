"""A run leaves what is inside its networks, bounded, from training and validation data alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.study.tiny import QUICK, run, study

from bakeoff.core.files import folder_digests
from bakeoff.data import splits
from bakeoff.study import inside
from bakeoff.study.artifacts import write_artifacts
from bakeoff.study.plan import read_plan
from bakeoff.study.prepare import prepare
from bakeoff.study.study import Study
from bakeoff.study.verify import verify

MLP = {"technique": "mlp", "model": {"hidden": [12, 9]}, "training": {"epochs": 1}}
WILD = {**MLP, "training": {"epochs": 1, "learning_rate": 1e30, "l2": 0}}
CNN = {
    "technique": "cnn",
    "model": {"name": "simple-cnn", "width": 4},
    "training": {"epochs": 1},
}


def given(**changes: Any) -> Study:
    variants = {
        "zero": {"model.initialisation": "zero"},
        "wild": WILD,
        "softmax": QUICK,
        "cnn": CNN,
        "majority": {"technique": "majority"},
    }
    return study(control=MLP | {"name": "mlp"}, variants=variants, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a finished run; not to be written into."""
    out = tmp_path_factory.mktemp("opened") / "run"
    run(out, given(seeds={"exactly": 2}))
    return out


def content(folder: Path) -> dict[str, Any]:
    path = folder / "artifacts" / "inside" / "inside.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_every_network_is_there_with_its_first_seed(folder: Path) -> None:
    found = content(folder)
    assert list(found["recipes"]) == ["mlp", "zero", "wild", "softmax", "cnn"]
    assert {recipe["seed"] for recipe in found["recipes"].values()} == {0}
    assert found["about"]["recipes"] == 5
    assert found["about"]["batch"] == inside.BATCH


def test_zero_weights_beside_drawn_ones(folder: Path) -> None:
    recipes = content(folder)["recipes"]
    drawn, zero = recipes["mlp"], recipes["zero"]
    assert drawn["start"]["weights"]["hidden-1"]["zero"] == 0
    for moment in ("start", "end"):
        for kind in ("weights", "gradients"):
            assert zero[moment][kind]["hidden-1"]["zero"] == 1
        assert [one["dead"] for one in zero[moment]["activations"]] == [1, 1]
    assert drawn["end"]["weights"]["output"] != drawn["start"]["weights"]["output"]
    assert drawn["end"]["weights"]["hidden-1"]["shape"] == [12, 64]


def test_what_diverged_at_once_has_no_end(folder: Path) -> None:
    wild = content(folder)["recipes"]["wild"]
    assert "end" not in wild
    assert wild["start"]["weights"] == content(folder)["recipes"]["mlp"]["start"]["weights"]


def test_pictures(folder: Path) -> None:
    recipes = content(folder)["recipes"]
    softmax, cnn = recipes["softmax"]["pictures"], recipes["cnn"]["pictures"]
    assert softmax["classes"] == [str(digit) for digit in range(10)]
    assert "filters_start" not in softmax  # as large as images: noise, or nothing
    assert cnn["filters_start"]["units"] == cnn["filters_end"]["units"] == 4
    assert [stage["layer"] for stage in cnn["maps"]["stages"]] == ["conv1", "conv2"]
    assert len(cnn["maps"]["labels"]) == inside.SHOWN
    names = {row["file"] for p in (softmax, cnn) for row in p.values() if isinstance(row, dict)}
    assert all((folder / "artifacts" / "inside" / name).is_file() for name in names)


def test_the_report_shows_them_and_verify_agrees(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="inside"' in page
    assert "The networks of each recipe, of the first seed alone" in page
    assert page.count("First layer at the end") >= 4
    assert verify(folder).ok


def test_done_again_it_has_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder_digests(folder / "artifacts")
    ready = prepare(given(seeds={"exactly": 2}), before=read_plan(folder))
    monkeypatch.setattr(inside, "VERSION", inside.VERSION + 1)  # nothing is taken from before
    write_artifacts(ready, folder)
    after = folder_digests(folder / "artifacts")
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"inside/inside.json"}  # which tells the version
    assert after.keys() == before.keys()
    monkeypatch.undo()
    write_artifacts(ready, folder)
    assert folder_digests(folder / "artifacts") == before


def test_what_is_there_is_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("opened again")

    monkeypatch.setattr(inside, "_open", refuse)
    ready = prepare(given(seeds={"exactly": 2}), before=read_plan(folder))
    write_artifacts(ready, folder)
    (folder / "artifacts" / "inside" / "inside.json").write_text("{")
    with pytest.raises(AssertionError, match="opened again"):
        write_artifacts(ready, folder)
    monkeypatch.undo()
    write_artifacts(ready, folder)
    assert content(folder)["about"]["recipes"] == 5


def test_test_data_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("test data were asked for")

    ready = prepare(given(seeds={"exactly": 2}), before=read_plan(folder))
    (folder / "artifacts" / "inside" / "inside.json").unlink()
    monkeypatch.setattr(splits, "examples_of_test", refuse)
    from bakeoff.study.folder import open_folder

    inside.write_looks(ready, open_folder(folder), folder / "artifacts" / "inside")
    assert content(folder)["recipes"].keys() >= {"mlp", "cnn"}


def test_many_recipes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "MOST_RECIPES", 2)
    monkeypatch.setattr(inside, "MOST_PICTURED", 1)
    variants = {f"v{i}": {"training.learning_rate": 0.001 * (i + 1)} for i in range(3)}
    finished = run(tmp_path, study(control=QUICK, variants=variants))
    found = content(tmp_path)
    assert list(found["recipes"]) == ["softmax", "v0"]
    assert found["about"]["recipes"] == 4
    assert [bool(recipe["pictures"]) for recipe in found["recipes"].values()] == [True, False]
    page = finished.report.read_text(encoding="utf-8")
    assert "the first 2 of 4 recipes" in page


def test_studies_without_networks_leave_nothing(tmp_path: Path) -> None:
    run(tmp_path, study(variants={"knn": {"technique": "knn"}}))
    assert not (tmp_path / "artifacts" / "inside").exists()
    assert 'id="inside"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_folds_are_opened_too(tmp_path: Path) -> None:
    folded = study(
        control=QUICK,
        variants={"slow": {"training.learning_rate": 0.001}},
        seeds={"exactly": 1},
        resampling={"folds": 3, "then_test": False},
    )
    finished = run(tmp_path, folded)
    assert list(content(tmp_path)["recipes"]) == ["softmax", "slow"]
    assert "of the first fold alone" in finished.report.read_text(encoding="utf-8")
