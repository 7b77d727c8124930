"""A teacher's outputs for a cell's training examples: computed once, kept by content."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bakeoff.core.cache import of_device
from bakeoff.core.cell import Cell, Key
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import Arrays, Predictor, Run, TrainingData
from bakeoff.core.teaching import TeacherSettings, Teaching, centred_logits
from bakeoff.data.corpus import read_utf8
from bakeoff.data.hashing import item_digests

EXTRA = "training.teacher.extra"


def teaching_of(
    settings: TeacherSettings | None,
    cell: Cell,
    data: TrainingData,
    inputs: Mapping[str, Predictor],
    run: Run,
) -> Teaching | None:
    """What the teacher says of the training examples, as they are: not augmented.

    It is a phase of its own, `teacher`. Its seconds count as training; cells that learn from the
    same teacher and examples share the arrays. Extra texts come behind the training examples; the
    record says how many they are.

    Args:
        settings: None: there is no teacher.
        cell: Of the student.
        data: Its examples.
        inputs: The fitted results it may use, by recipe.
        run: What is worked through.

    Raises:
        InputError: where the teacher tells other classes apart, or there are extra texts that
            cannot be read, are not those that were planned, or stand beside images.
    """
    if settings is None:
        return None
    teacher = inputs[settings.recipe]
    theirs = getattr(teacher, "classes", None)
    if theirs is not None and tuple(theirs) != tuple(data.task.classes):
        raise InputError(
            f"training.teacher: '{settings.recipe}' tells {', '.join(theirs)} apart, the student "
            f"{', '.join(data.task.classes)} (allowed: a teacher of the same classes)"
        )
    settings = pin_extra(settings, data.modality)
    extra = extra_texts(settings)
    if settings.extra is not None:
        run.remark(
            [
                f"{len(extra):,} texts of {settings.extra.texts} (hash {settings.extra.hash}) "
                f"were learnt without labels, beside {len(data.train):,} with labels"
            ]
        )
    items: Items = [*data.train.items, *extra] if extra else data.train.items

    def compute() -> Arrays:
        outputs = teacher.predict(items)
        return {"logits": centred_logits(outputs, len(data.task.classes), settings.recipe)}

    found = run.solve("teacher", compute, share=_key(settings, cell))
    return Teaching(settings, found["logits"], extra)


def extra_texts(settings: TeacherSettings | None) -> Sequence[str]:
    """Texts without labels that the teacher is asked about, too.

    Raises:
        InputError: where they cannot be read.
    """
    if settings is None or settings.extra is None:
        return ()
    return _extra_texts(settings.extra.texts)


def pin_extra(settings: TeacherSettings, modality: Modality) -> TeacherSettings:
    """The same with the hash of the extra texts, where there are any.

    Args:
        settings: Of a student.
        modality: Of what it learns from.

    Raises:
        InputError: where the texts cannot be read, are others than a hash says, or stand beside
            something else than texts.
    """
    extra = settings.extra
    if extra is None:
        return settings
    if modality != "text":
        raise InputError(f"{EXTRA}: texts received for {modality} data (allowed: with texts alone)")
    found = digest(item_digests(_extra_texts(extra.texts)).tobytes())[:16]
    if extra.hash not in (None, found):
        raise InputError(
            f"{EXTRA}: {extra.texts} has changed: its texts have the hash {found}, {extra.hash} "
            "was wanted"
        )
    return settings.model_copy(update={"extra": extra.model_copy(update={"hash": found})})


def _extra_texts(file: str) -> Sequence[str]:
    """The lines of a text file that are not empty.

    Raises:
        InputError: where it cannot be read, is not UTF-8 or holds no text.
    """
    try:
        lines = read_utf8(Path(file)).split("\n")
    except InputError as error:
        raise InputError(f"{EXTRA}: {error}") from None
    return [line.strip() for line in lines if line.strip()]


def _key(settings: TeacherSettings, cell: Cell) -> Key | None:
    """Of teacher, device and examples; None outside of a study, where they have no keys."""
    teacher = cell.inputs.get(settings.recipe)
    if teacher is None:
        return None
    content = ["teacher outputs", teacher, cell.data_hash, cell.split_hash]
    content += of_device(cell.recipe.numerics.device).values()
    if settings.extra is not None:
        content.append(f"extra texts {settings.extra.hash}")
    return digest(canonical_json(content))[:16]
