"""Submissions: predictions in the shape of a competition's `sample_submission.csv`."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from bakeoff.core.errors import InputError
from bakeoff.core.table import csv_bytes, read_csv


def submission(predictions: Path, sample: Path) -> bytes:
    """The predicted classes with the sample's columns, ids and order.

    Ids are matched as they are, or else by file names without folder and suffix (`test/7.png` is
    7). Where neither has ids, the sample numbering the items from 1 and the predictions from 0,
    they are matched in order.

    Args:
        predictions: As `predict` writes them.
        sample: Two columns: an id, and what is to be predicted.

    Raises:
        InputError: where the sample has other columns, or ids that were not predicted.
    """
    wanted, made = read_csv(sample), read_csv(predictions)
    if len(wanted) != 2:
        raise InputError(
            f"{sample}: has columns {', '.join(wanted)}; needed are two, an id and a prediction"
        )
    if missing := [name for name in ("id", "prediction") if name not in made]:
        raise InputError(f"{predictions}: no column {', '.join(missing)} (found: {list(made)})")
    identity, target = wanted
    ids = wanted[identity]
    places = _matched(made["id"], ids)
    if absent := [i for i in ids if i not in places]:
        first = f"the first: {absent[0]!r}; predicted ids look like {made['id'][:1]}"
        raise InputError(f"{sample}: {len(absent)} of {len(ids)} ids were not predicted ({first})")
    return csv_bytes([identity, target], ([i, made["prediction"][places[i]]] for i in ids))


def _matched(predicted: Sequence[str], ids: Sequence[str]) -> dict[str, int]:
    """The row of each id among the predictions, by the first way of matching that finds all."""
    stems = [PurePosixPath(name).stem for name in predicted]
    numbers = [str(number) for number in range(len(predicted))]
    ways = [predicted, stems]
    if list(predicted) == numbers and len(ids) == len(predicted):
        ways.append([str(number) for number in range(1, len(predicted) + 1)])
    for names in ways:
        rows = {name: row for row, name in enumerate(names)}
        if len(rows) == len(names) and rows.keys() >= set(ids):
            return rows
    return {name: row for row, name in enumerate(predicted)}
