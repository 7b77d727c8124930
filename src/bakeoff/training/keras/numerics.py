"""How TensorFlow computes: threads and determinism set once in a process, and recorded."""

import os
from typing import Any

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Numerics
from bakeoff.training.keras.library import keras, tf


def apply(numerics: Numerics) -> None:
    """Set threads and determinism for this process, on the CPU alone.

    Args:
        numerics: Resolved.

    Raises:
        InputError: where TensorFlow has computed with another number of threads in this process.
    """
    threads, threading = int(numerics.threads), tf.config.threading
    try:
        tf.config.set_visible_devices([], "GPU")
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(1)  # sums come in one order
    except RuntimeError:
        used = threading.get_intra_op_parallelism_threads()
        if used != threads:
            raise InputError(
                f"numerics.threads: {threads} received, but TensorFlow takes the number of threads "
                f"once in a process, and has computed with {used or 'as many as it liked'} in this "
                "one"
            ) from None
    # Nothing here is faster without; once set, it holds for the process.
    tf.config.experimental.enable_op_determinism()


def fingerprint(numerics: Numerics) -> dict[str, Any]:
    """What the bits of Keras's results depend on, in this process.

    Args:
        numerics: Resolved.
    """
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "deterministic": numerics.deterministic,
        "tensorflow_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        # oneDNN sums in another order than Eigen; 0 switches it off.
        "onednn_opts": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
    }
