"""TensorFlow and Keras, loaded in one place.

Keras computes with TensorFlow and in its own defaults whatever the user's `~/.keras/keras.json`
says, which is neither read nor written. What TensorFlow says of itself while it loads is left out
of stderr; anything else that is written there meanwhile passes.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bakeoff.core.errors import InputError

NO_HOME = os.path.join(os.devnull, "keras")
"""Cannot be made: Keras then reads and writes no file."""
CHATTER = ("All log messages before absl::InitializeLog()", "oneDNN custom operations are on")
"""In messages that TensorFlow's C++ writes however its logging is set."""


@contextmanager
def _surroundings() -> Iterator[None]:
    """The environment that both are to find; all but the log level as before afterwards."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads it later, too
    wanted = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": NO_HOME}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_chatter() -> Iterator[None]:
    """What C++ code writes to stderr, less TensorFlow's own messages; Python's `sys.stderr` too."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr, nothing to leave out
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file.read().splitlines(keepends=True):
                if not any(message.encode() in line for message in CHATTER):
                    os.write(2, line)


with _surroundings(), _without_chatter():
    import keras
    import tensorflow as tf

if keras.config.backend() != "tensorflow":
    raise InputError(
        f"framework: keras is loaded with the backend {keras.config.backend()}, and that holds for "
        "the whole process (needed: tensorflow; import keras after bakeoff, or not at all)"
    )

# Every cell has a step of its own; TensorFlow takes them for one that is traced over and over.
tf.get_logger().addFilter(lambda record: "tf.function retracing" not in record.getMessage())

__all__ = ["graph", "keras", "tf"]


def graph(function: Callable[..., Any], signature: Sequence[Any] | None = None) -> Any:
    """A function of tensors as a compiled graph, traced when it is first called.

    Args:
        function: Taken as it is written: its `if`s are decided once.
        signature: `tf.TensorSpec`s of its arguments: what has them is not traced anew.
    """
    return tf.function(function, input_signature=signature, autograph=False)
