"""Memory: enough of it before a large calculation begins, and freed memory kept for the next array.

A calculation makes and drops the same arrays of a few megabytes each time. The GNU C library gives
such blocks back to the system, and every page that is touched again costs a page fault: a sixth of
the time of energy and forces of C60. Telling it to keep them costs at most ``KEPT`` bytes.

The setting belongs to the whole process, so nothing in the package makes it but the command line,
whose process is our own. Other programs call :func:`keep_freed_memory` if they like.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from mlsemi.errors import InputError

LARGE = 2**30
"""Bytes below which nobody asks whether they are there."""

FREE, GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")

LARGEST = 2**25
"""Blocks up to this size (bytes) come from the kept memory; the library allows no more."""

KEPT = 2**28
"""Freed memory that is kept at most, bytes."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of malloc.h, mallopt(3)


def free_memory() -> int | None:
    """Bytes that can be had without swapping, None where the system does not say (not Linux)."""
    try:
        lines = FREE.read_text().splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration, ValueError):
        return None
    try:  # a container may have less
        limit, used = ((GROUP / f"memory.{name}").read_text() for name in ("max", "current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):
        return free


def check_memory(needed: int, what: str, instead: str) -> None:
    """Refuse what does not fit, before it begins.

    Parameters
    ----------
    needed : int
        Bytes.
    what, instead : str
        For the message.

    Raises
    ------
    InputError
        If more than what is free is needed.
    """
    if needed < LARGE:
        return
    free = free_memory()
    if free is not None and needed > free:
        sizes = f"about {needed / 1e9:.0f} GB of memory, {free / 1e9:.1f} GB are free"
        raise InputError(f"{what} need {sizes}: {instead}")


@cache
def keep_freed_memory() -> bool:
    """Set the limits of the process, once; whether its C library knows them."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not the GNU C library
        return False
    done = [mallopt(_MMAP_THRESHOLD, LARGEST), mallopt(_TRIM_THRESHOLD, KEPT)]
    return all(done)
