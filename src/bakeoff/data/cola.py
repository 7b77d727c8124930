"""CoLA: 10,657 sentences from books on linguistics, acceptable or not; 9,594 of them public.

Source: A. Warstadt, A. Singh, S. R. Bowman 2019, "Neural network acceptability judgments", TACL 7,
arXiv:1805.12471. `cola_public/raw/*.tsv` without a header and without quoting: the book, the label,
a star where the author set one, the sentence. The labels of the published test files were kept
back. So the two development files are the test split here: sentences from the books that training
sentences come from (`in-domain`), and from six other ones (`out-of-domain`), whose scores reports
tell apart. What validates is carved from the training file.
"""

from pathlib import Path

import numpy as np

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, concatenated
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.sources import Entry
from bakeoff.data.text_files import LOST, decoded, lost_note, read_bytes

CLASSES = ("unacceptable", "acceptable")
FOLDER = "cola_public/raw"
TRAIN = f"{FOLDER}/in_domain_train.tsv"
PARTS = {
    "in-domain": f"{FOLDER}/in_domain_dev.tsv",
    "out-of-domain": f"{FOLDER}/out_of_domain_dev.tsv",
}
"""The parts of the test split, and their files."""


def load_cola(folder: Path) -> Dataset:
    """The training file, and both development files as test.

    Raises:
        InputError: where a file is missing, or a line is not of four fields.
    """
    train, notes = _read(folder / TRAIN)
    tests = []
    for part, file in PARTS.items():
        examples, more = _read(folder / file)
        ids = np.array([f"{part}-{identity}" for identity in examples.ids])
        tests.append(Examples(examples.items, examples.labels, ids))
        notes += more
    return Dataset("cola", "text", CLASSES, train, concatenated(tests), notes=notes)


def _read(path: Path) -> tuple[Examples, tuple[str, ...]]:
    content, broken = decoded(read_bytes(path))
    texts, labels = [], []
    for number, line in enumerate(content.removesuffix("\n").split("\n"), start=1):
        fields = line.rstrip("\r").split("\t")
        if len(fields) != 4 or fields[1] not in ("0", "1"):
            raise InputError(
                f"{path}: line {number} is not source, label 0 or 1, star and sentence, set apart "
                f"by tabs: {line[:60]}"
            )
        labels.append(int(fields[1]))
        texts.append(fields[3])
    examples = Examples(texts, np.array(labels, dtype=np.int64), numbered(len(texts)))
    return examples, lost_note(str(path), sum(LOST in text for text in texts) if broken else 0)


COLA = Entry(
    name="cola",
    summary="sentences of linguistics, acceptable or not; both dev files are test",
    modality="text",
    classes=CLASSES,
    shape=(),
    sizes=(8_551, 1_043),
    licence="none stated; sentences are their books', quoted as fair use",
    citation="Warstadt, Singh, Bowman 2019, Neural network acceptability judgments, TACL 7",
    homepage="https://nyu-mll.github.io/CoLA/",
    load=load_cola,
    hash="f9ef10253cb866fa65b05990f6546322cce5958773af443e50ffc32579a572d6",
    folder="cola",
    layouts=((TRAIN, *PARTS.values()),),
    parts=tuple(PARTS),
)
