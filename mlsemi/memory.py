"""Freed memory kept for the next array.

A calculation makes and drops the same arrays of a few megabytes each time. The GNU C library gives
such blocks back to the system, and every page that is touched again costs a page fault: a sixth of
the time of energy and forces of C60. Telling it to keep them costs at most ``KEPT`` bytes.

The setting belongs to the whole process, so nothing in the package makes it but the command line,
whose process is our own. Other programs call :func:`keep_freed_memory` if they like.
"""

from __future__ import annotations

import ctypes
from functools import cache

LARGEST = 2**25
"""Blocks up to this size (bytes) come from the kept memory; the library allows no more."""

KEPT = 2**28
"""Freed memory that is kept at most, bytes."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of malloc.h, mallopt(3)


@cache
def keep_freed_memory() -> bool:
    """Set the limits of the process, once; whether its C library knows them."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not the GNU C library
        return False
    done = [mallopt(_MMAP_THRESHOLD, LARGEST), mallopt(_TRIM_THRESHOLD, KEPT)]
    return all(done)
