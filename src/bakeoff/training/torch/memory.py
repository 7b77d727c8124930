"""What torch says when memory is short."""

import torch

SHORT = (
    "can't allocate memory",
    "not enough memory",
    "bad allocation",
    "bad_alloc",
    "out of memory",
)
"""What its errors say that have no type of their own: allocators of a CPU, oneDNN."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory, on whatever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in said for phrase in SHORT)
