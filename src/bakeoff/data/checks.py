"""What is wrong with a data set before anything is trained on it: `bakeoff data check`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import shown
from bakeoff.core.examples import Examples, Items
from bakeoff.data.dataset import Dataset
from bakeoff.data.duplicates import (
    Pairs,
    can_compare,
    exact_pairs,
    near_images,
    near_texts,
    signatures,
)
from bakeoff.data.hashing import item_digests
from bakeoff.data.text_checks import some_ids, text_remarks

SHOWN = 20
FEW_TEST_EXAMPLES = 10
"""A class with fewer gets no verdict on scores of a confusion table."""
SORTED_SHARE = 0.1
"""Labels that change at less than this share of the places a random order would are sorted."""
CHUNK = 4096
_EMPTY = {"image": "images of one colour", "text": "empty texts", "numbers": "rows of zeros"}


@dataclass(frozen=True)
class Repeats:
    """Items of one split that repeat items of the same or an earlier one.

    Args:
        kind: `exact`: byte for byte; `near`: the same picture or text to a person.
        split: The split of the items that repeat.
        of: The split of what they repeat.
        count: How many items of `split` do.
        conflicting: How many of these have another label than what they repeat.
        ids: Pairs of identities (the item, what it repeats), the surest first, at most 20.
    """

    kind: Literal["exact", "near"]
    split: str
    of: str
    count: int
    conflicting: int
    ids: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Report:
    """What a check found.

    Args:
        dataset: The set's name.
        hash: `Dataset.hash`.
        sizes: Examples in each split.
        class_counts: Examples of each class in each split; "" counts unknown labels. Empty where
            labels are numbers.
        repeats: Duplicates, where there are any.
        near_skipped: Why near duplicates were not looked for, or None.
        problems: What would falsify a comparison; one sentence each.
        remarks: What is worth knowing; one sentence each.
    """

    dataset: str
    hash: str
    sizes: dict[str, int]
    class_counts: dict[str, dict[str, int]]
    repeats: tuple[Repeats, ...]
    near_skipped: str | None
    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report for people."""
        sizes = ", ".join(f"{count:,} {split}" for split, count in self.sizes.items())
        out = [f"{self.dataset}: {sizes}", f"  hash {self.hash}"]
        for split, counts in self.class_counts.items():
            if not counts:
                continue
            smallest, largest = min(counts.values()), max(counts.values())
            each = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
            out.append(f"  {split}: {len(counts)} classes of {each} examples")
        out += [f"  problem: {line}" for line in self.problems]
        out += [f"  {line}" for line in self.remarks]
        if not self.problems:
            out.append("  no problems found")
        return [shown(line) for line in out]


def check(dataset: Dataset) -> Report:
    """Look for duplicates, leaks between splits, order, gaps and conflicts.

    All pairs of images are compared: about 20 s for 60,000 on two cores. Test examples are read,
    but no score is computed from them.
    """
    repeats = tuple(r for r in _repeats(dataset) if r.count)
    skipped = [why for e in dataset.splits.values() if (why := can_compare(e.items))]
    counts = {name: _class_counts(dataset, e) for name, e in dataset.splits.items()}
    problems = [line for r in repeats if (line := _problem(r, dataset))]
    remarks = [_remark(r) for r in repeats if r.split == r.of and not r.conflicting]
    problems += _gaps(counts)
    for name, examples in dataset.splits.items():
        if empty := _empty(examples.items):
            what = _EMPTY[dataset.modality]
            problems.append(f"{name} has {len(empty)} {what}: {some_ids(examples, empty)}")
        if dataset.classes and _is_sorted(examples.labels):
            remarks.append(f"{name} is sorted by label; bakeoff always shuffles, others may not")
        if dataset.modality == "text":
            remarks += text_remarks(name, examples)
    remarks += _few(counts)
    if skipped:
        remarks.append(f"near duplicates were not looked for: {skipped[0]}")
    return Report(
        dataset.name,
        dataset.hash,
        {name: len(examples) for name, examples in dataset.splits.items()},
        counts,
        repeats,
        skipped[0] if skipped else None,
        tuple(problems),
        (*remarks, *dataset.notes),
    )


def _repeats(dataset: Dataset) -> Iterator[Repeats]:
    splits = dataset.splits
    digests = {name: item_digests(examples.items) for name, examples in splits.items()}
    near = _NEAR[dataset.modality](splits)
    for of, split in combinations_with_replacement(splits, 2):
        exact = exact_pairs(digests[split], None if of == split else digests[of])
        yield _describe("exact", split, of, exact, splits)
        pairs, similarity = near[split, of]
        fresh = ~np.isin(pairs[:, 0], exact[:, 0])
        order = np.argsort(-similarity[fresh], kind="stable")
        yield _describe("near", split, of, pairs[fresh][order], splits)


Near = dict[tuple[str, str], tuple[Pairs, NDArray[np.float32]]]


def _near_images(splits: dict[str, Examples]) -> Near:
    nothing = (np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32))
    made = {
        name: signatures(examples.items)
        for name, examples in splits.items()
        if isinstance(examples.items, np.ndarray) and can_compare(examples.items) is None
    }
    return {
        (split, of): near_images(made[split], None if of == split else made[of])
        if split in made and of in made
        else nothing
        for of, split in combinations_with_replacement(splits, 2)
    }


def _near_texts(splits: dict[str, Examples]) -> Near:
    """All splits are compared at once; each pair is then told by the splits it lies in."""
    texts = [text for examples in splits.values() for text in examples.items]
    pairs, similarity = near_texts(texts)
    sizes = np.array([len(examples) for examples in splits.values()])
    starts = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(sizes)), sizes)
    inside = pairs - starts[owner[pairs]] if len(pairs) else pairs
    names = list(splits)
    out: Near = {}
    for of, split in combinations_with_replacement(names, 2):
        here = (owner[pairs] == [names.index(split), names.index(of)]).all(axis=1)
        out[split, of] = (inside[here], similarity[here])
    return out


def _near_numbers(splits: dict[str, Examples]) -> Near:
    """None: close measurements are what repeated measuring gives."""
    nothing = (np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32))
    return {(split, of): nothing for of, split in combinations_with_replacement(splits, 2)}


_NEAR = {"image": _near_images, "text": _near_texts, "numbers": _near_numbers}


def _describe(
    kind: Literal["exact", "near"],
    split: str,
    of: str,
    pairs: Pairs,
    splits: dict[str, Examples],
) -> Repeats:
    first, second = splits[split], splits[of]
    labels, others = first.labels[pairs[:, 0]], second.labels[pairs[:, 1]]
    known = first.known[pairs[:, 0]] & second.known[pairs[:, 1]]
    conflicting = (labels != others) & known
    # Conflicts first: they are what has to be looked at.
    order = np.argsort(~conflicting, kind="stable")
    ids = tuple((str(first.ids[a]), str(second.ids[b])) for a, b in pairs[order][:SHOWN])
    return Repeats(kind, split, of, len(pairs), int(conflicting.sum()), ids)


def _problem(repeats: Repeats, dataset: Dataset) -> str | None:
    r = repeats
    conflict = f", {r.conflicting} of them with another label" if r.conflicting else ""
    if r.split != r.of:
        share = r.count / len(dataset.splits[r.split])
        return (
            f"{r.count} {r.split} examples ({share:.2%}) {_repeat(r)} of {r.of}{conflict}: "
            f"{_pairs(r)}"
        )
    if r.conflicting:
        return f"{r.count} examples of {r.split} {_repeat(r)} of it{conflict}: {_pairs(r)}"
    return None


def _remark(repeats: Repeats) -> str:
    r = repeats
    return f"{r.count} examples of {r.split} {_repeat(r)} of it: {_pairs(r)}"


def _repeat(repeats: Repeats) -> str:
    return "repeat examples" if repeats.kind == "exact" else "nearly repeat examples"


def _pairs(repeats: Repeats) -> str:
    shown = ", ".join(f"{a} = {b}" for a, b in repeats.ids[:3])
    return shown + (", ..." if repeats.count > 3 else "")


def _class_counts(dataset: Dataset, examples: Examples) -> dict[str, int]:
    if not dataset.classes:
        return {}
    known = examples.labels[examples.labels >= 0]
    counts = np.bincount(known, minlength=len(dataset.classes)).tolist()
    out = dict(zip(dataset.classes, counts, strict=True))
    unknown = len(examples) - len(known)
    return out | {"": unknown} if unknown else out


def _gaps(counts: dict[str, dict[str, int]]) -> list[str]:
    return [
        f"{split} has no example of {', '.join(missing)}"
        for split, by_class in counts.items()
        if (missing := [name for name, count in by_class.items() if count == 0])
    ]


def _few(counts: dict[str, dict[str, int]]) -> list[str]:
    few = [
        f"{name} ({count})"
        for name, count in counts.get("test", {}).items()
        if 0 < count < FEW_TEST_EXAMPLES
    ]
    if not few:
        return []
    return [f"too few test examples for a verdict on F1 or Matthews: {', '.join(few[:5])}"]


def _empty(items: Items) -> list[int]:
    """The positions of images of one colour, texts without a character, rows of zeros."""
    if not isinstance(items, np.ndarray):
        return [i for i, text in enumerate(items) if not text.strip()]
    if items.ndim == 2:
        return np.flatnonzero((items == 0).all(axis=1)).tolist()
    flat: list[int] = []
    for start in range(0, len(items), CHUNK):
        part = items[start : start + CHUNK]
        same = (part == part[:, :1, :1]).all(axis=(1, 2, 3))
        flat += (start + np.flatnonzero(same)).tolist()
    return flat


def _is_sorted(labels: NDArray[np.int64]) -> bool:
    if len(labels) < 20:
        return False
    changes = np.count_nonzero(labels[1:] != labels[:-1])
    _, counts = np.unique(labels, return_counts=True)
    expected = (len(labels) - 1) * (1 - np.sum((counts / len(labels)) ** 2))
    return len(counts) > 1 and bool(changes < SORTED_SHARE * expected)
