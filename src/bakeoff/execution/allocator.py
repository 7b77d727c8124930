"""What the C library does with freed memory: kept while work goes on, given back between works.

By default glibc returns every large block to the system as soon as it is freed, and the next one of
the same size is mapped anew, page by page. An update of a network frees and asks for the same large
blocks over and over, and thousands of page faults a second cost more than a tenth of the time.
Results do not depend on any of this.
"""

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Parameters of `mallopt`, glibc's numbers."""
KEPT_BYTES = 2**31 - 1
"""Free memory at the top of the heap that is not returned: the most that can be said."""
STEP_BYTES = 64 * 2**20
"""The heap grows by at least so much."""


@cache
def keep_freed() -> bool:
    """From now on, keep freed memory for what is asked for next; whether that could be said.

    Only glibc can be told. `give_back` returns what is free at a time.
    """
    library = _glibc()
    return library is not None and all(
        library.mallopt(parameter, value)
        for parameter, value in (
            (M_MMAP_MAX, 0),
            (M_TRIM_THRESHOLD, KEPT_BYTES),
            (M_TOP_PAD, STEP_BYTES),
        )
    )


def give_back() -> None:
    """Return freed memory, so that the peak of the next piece of work is its own."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
    except OSError:
        return None
