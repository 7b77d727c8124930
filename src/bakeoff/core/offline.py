"""Whether anything may be fetched: one answer for data sets, weights and worker processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = ("BAKEOFF_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
YES = ("1", "on", "true", "yes")
"""What says so, in any case; `huggingface_hub` reads its own variables by the same words."""


def is_offline() -> bool:
    """Whether one of the variables says that nothing is to be fetched."""
    return any(os.environ.get(name, "").lower() in YES for name in VARIABLES)


@contextmanager
def offline() -> Iterator[None]:
    """Fetch nothing meanwhile, in this process and in those that it starts."""
    ours = VARIABLES[0]
    before = os.environ.get(ours)
    os.environ[ours] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ours, None)
        else:
            os.environ[ours] = before
