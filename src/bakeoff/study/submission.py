"""Submissions: predictions in the shape of a competition's `sample_submission.csv`."""

from pathlib import Path

from bakeoff.core.errors import InputError
from bakeoff.core.table import csv_bytes, read_csv


def submission(predictions: Path, sample: Path) -> bytes:
    """The predicted classes with the sample's columns, ids and order.

    A sample whose ids are 1..N, while the predictions' are not all among them, is filled in input
    order: such files number the test items.

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
    identity, target = wanted
    ids, guesses = wanted[identity], dict(zip(made["id"], made["prediction"], strict=True))
    numbered = ids == [str(i) for i in range(1, len(ids) + 1)]
    if not set(ids) <= set(guesses) and numbered and len(ids) == len(made["id"]):
        guesses = dict(zip(ids, made["prediction"], strict=True))
    if missing := [i for i in ids if i not in guesses]:
        raise InputError(
            f"{sample}: {len(missing)} of {len(ids)} ids were not predicted (the first: "
            f"{missing[0]!r}; predicted ids look like {made['id'][0]!r})"
        )
    return csv_bytes([identity, target], ([i, guesses[i]] for i in ids))
