"""Tables of numbers: one row an example, some columns the inputs, one the target."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, suggest
from bakeoff.core.examples import Examples
from bakeoff.core.recipe import TableSource
from bakeoff.data.dataset import SPLIT_NAMES, Dataset, hold_out_test
from bakeoff.data.tables import USUAL_NAMES, group_codes, identities, splits_of, strings
from bakeoff.data.tabular import Rows, read_rows

SHOWN = 5


def load_numbers(source: TableSource) -> Dataset:
    """The rows of a table of numbers, in its order.

    Nothing is left out and nothing filled in: a cell that is empty, no number or not finite is
    refused. Without a test split, a fifth of the rows is set aside, the same for every seed.

    Args:
        source: The file, the target, and the inputs: all other columns where they are not named.

    Returns:
        N rows of D inputs as float64; an example's identity is its id column (the one that is
        named, or else has a usual name and no other role), or its row number.

    Raises:
        InputError: where the file cannot be read, a column is missing, or a cell is no finite
            number.
    """
    path = Path(source.table).expanduser()
    rows = read_rows(path)
    inputs, identity, notes = _columns(path, rows, source)
    target = str(source.target)
    table = _finite(path, rows, [*inputs, target])
    keep = list(range(len(table)))
    names = {} if identity is None else {"id": identity}
    ids, id_notes = identities(path, rows, names, keep, guessed=source.id is None)
    groups = None
    if source.group is not None:
        groups = group_codes(strings(path, rows, source.group, numbers=True))
    whole = Examples(
        np.ascontiguousarray(table[:, :-1]), table[:, -1].copy(), np.array(ids, np.str_), groups
    )
    notes = [*rows.notes, *notes, *id_notes]
    if source.split is None:
        train, test, note = hold_out_test(whole, (), str(path))
        return Dataset(
            str(path), "numbers", (), train, test, None, (*notes, note), columns=tuple(inputs)
        )
    return _with_splits(path, whole, splits_of(path, rows, source.split, keep), notes, inputs)


def read_numbers(
    path: Path,
    inputs: Sequence[str],
    target: str | None,
    identity: str | None = None,
    needed: bool = False,
) -> Examples:
    """Every row of a table in its own order: what is to be predicted.

    Args:
        path: Of the table.
        inputs: The columns a predictor was fitted on.
        target: The column it predicts, which may be missing.
        identity: The column of ids, which may be missing; None: one of a usual name, or the rows'
            numbers.
        needed: Whether the column of ids must be there.

    Returns:
        N rows; the label is NaN where the target is not there.

    Raises:
        InputError: where a column is missing or a cell is no finite number.
    """
    rows = read_rows(path)
    asked = [*inputs, identity] if needed and identity else inputs
    if lacking := [name for name in asked if name not in rows.columns]:
        found = ", ".join(f"'{name}'" for name in rows.columns)
        raise InputError(f"{path}: no column {', '.join(map(repr, lacking))} (columns: {found})")
    table = _finite(path, rows, inputs)
    labels = np.full(len(table), np.nan)
    if target is not None and target in rows.columns:
        values = [_number(value) for value in rows.columns[target]]
        labels[:] = [math.nan if value is None else value for value in values]
        labels[~np.isfinite(labels)] = np.nan
    named = identity if identity in rows.columns else None
    column = _id_column(list(rows.columns), named, [*inputs, str(target)])
    names, keep = {} if column is None else {"id": column}, list(range(len(table)))
    ids, _ = identities(path, rows, names, keep, guessed=named is None)
    return Examples(table, labels, np.array(ids, np.str_))


def _id_column(available: Sequence[str], named: str | None, taken: Sequence[str]) -> str | None:
    """The column of ids: the one that is named, or else the only one of a usual name."""
    usual = [n for n in available if n.strip().lower() in USUAL_NAMES["id"] and n not in taken]
    return named or (usual[0] if len(usual) == 1 else None)


def _columns(
    path: Path, rows: Rows, source: TableSource
) -> tuple[list[str], str | None, list[str]]:
    """The inputs, the column of ids, and notes on how they were found.

    Raises:
        InputError: naming every column that is not there or has two roles.
    """
    available = list(rows.columns)
    roles = {role: getattr(source, role) for role in ("target", "group", "split", "id")}
    named = [("inputs", name) for name in source.inputs or ()]
    named += [(role, name) for role, name in roles.items() if name is not None]
    faults = [
        f"{path}: {role}: there is no column '{name}'{suggest(name, available)}"
        for role, name in named
        if name not in available
    ]
    columns = [name for _, name in named]
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    faults += [f"{path}: column '{name}' cannot have two roles" for name in doubled]
    if faults:
        raise InputError([*faults, f"  columns: {', '.join(map(repr, available))}"])
    identity = _id_column(available, source.id, columns)
    notes = [] if identity == source.id else [f"column '{identity}' taken for the id"]
    if source.inputs is not None:
        return list(source.inputs), identity, notes
    rest = [name for name in available if name not in (*columns, identity)]
    if not rest:
        raise InputError(f"{path}: no column is left for the inputs beside '{source.target}'")
    return rest, identity, [*notes, f"inputs: {', '.join(rest)}"]


def _finite(path: Path, rows: Rows, columns: Sequence[str]) -> NDArray[np.float64]:
    """(N, columns) float64.

    Raises:
        InputError: with the first cells that are empty, no number or not finite.
    """
    table = np.empty((len(rows.lines), len(columns)))
    faults: list[str] = []
    for place, name in enumerate(columns):
        for row, value in enumerate(rows.columns[name]):
            number = _number(value)
            if number is None or not math.isfinite(number):
                faults.append(
                    f"{path}: line {rows.lines[row]}: column '{name}' {_why(value, number)}"
                )
            else:
                table[row, place] = number
    if faults:
        more = [f"  and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise InputError(faults[:SHOWN] + more)
    return table


def _why(value: Any, number: float | None) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "is empty, where a number is needed"
    if number is None:
        return f"holds {value!r:.40}, no number"
    return f"holds {value!r:.40}, which is not finite"


def _number(value: Any) -> float | None:
    """A cell as a number; None for what is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _with_splits(
    path: Path, whole: Examples, splits: Sequence[str], notes: Sequence[str], inputs: Sequence[str]
) -> Dataset:
    names = np.array(splits)
    parts = {name: whole.take(np.flatnonzero(names == name)) for name in SPLIT_NAMES}
    if not len(parts["train"]):
        raise InputError(f"{path}: no row belongs to train (found: {', '.join(sorted({*splits}))})")
    train, test = parts["train"], parts["test"]
    if not len(test):
        train, test, note = hold_out_test(train, (), str(path))
        notes = [*notes, note]
    return Dataset(
        str(path),
        "numbers",
        (),
        train,
        test,
        parts["validation"] if len(parts["validation"]) else None,
        tuple(notes),
        columns=tuple(inputs),
    )
