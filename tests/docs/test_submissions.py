"""The committed submission is what a cell of the evidence predicts."""

import csv
from pathlib import Path

import numpy as np

from bakeoff.study.folder import open_folder

ROOT = Path(__file__).resolve().parents[2]


def test_of_cifar10() -> None:
    folder = open_folder(ROOT / "evidence" / "cifar10-triplets")
    record = next(r for at, r in folder.records["fine-tuned"].items() if at.seed == 0)
    predictions = folder.predictions(record, "test")
    rows = list(csv.reader((ROOT / "docs/submissions/cifar10-test.csv").read_text().splitlines()))
    assert rows[0] == ["id", "label"]
    assert [row[0] for row in rows[1:]] == predictions["id"].tolist()
    said = np.array(record.classes)[predictions["prediction"]]
    assert [row[1] for row in rows[1:]] == said.tolist()
