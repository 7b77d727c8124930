"""A teacher's outputs for a cell's training examples: computed once, kept by content."""

from collections.abc import Mapping

from bakeoff.core.cell import Cell, Key
from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import Arrays, Predictor, Run, TrainingData
from bakeoff.core.teaching import TeacherSettings, Teaching, centred_logits


def teaching_of(
    settings: TeacherSettings | None,
    cell: Cell,
    data: TrainingData,
    inputs: Mapping[str, Predictor],
    run: Run,
) -> Teaching | None:
    """What the teacher says of the training examples, as they are: not augmented.

    It is a phase of its own, `teacher`. Its seconds count as training; cells that learn from the
    same teacher and examples share the arrays.

    Args:
        settings: None: there is no teacher.
        cell: Of the student.
        data: Its examples.
        inputs: The fitted results it may use, by recipe.
        run: What is worked through.

    Raises:
        InputError: where the teacher tells other classes apart.
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

    def compute() -> Arrays:
        outputs = teacher.predict(data.train.items)
        return {"logits": centred_logits(outputs, len(data.task.classes), settings.recipe)}

    found = run.solve("teacher", compute, share=_key(settings, cell))
    return Teaching(settings, found["logits"])


def _key(settings: TeacherSettings, cell: Cell) -> Key | None:
    """Of the teacher and the examples; None outside of a study, where neither has one."""
    teacher = cell.inputs.get(settings.recipe)
    if teacher is None:
        return None
    content = ["teacher outputs", teacher, cell.data_hash, cell.split_hash]
    return digest(canonical_json(content))[:16]
