"""Threads of the linear-algebra libraries: limited for a while.

BLAS has one setting per process. Calculations that run side by side in several Python threads
share it: those that ask for the same number enter together, others wait for them to leave. So each
runs with the number it asked for and gives the same bits alone and in company. OpenMP has one
setting per Python thread and needs no such care.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from numbers import Integral

from threadpoolctl import LibController, ThreadpoolController

from mlsemi.errors import InputError


@cache
def _libraries(user_api: str) -> ThreadpoolController:
    """Thread pools of the libraries in the process; scanned once, which takes milliseconds."""
    return ThreadpoolController().select(user_api=user_api)


def _set(library: LibController, number: int) -> None:
    """Set the threads of one library.

    Newer threadpoolctl silently ignores all Python threads but the first that ever set a number,
    because it cannot know that they agree. Here they do, so the first one's claim is lifted.
    """
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)
    library.set_num_threads(number)


def _others(libraries: list[LibController], number: int) -> list[tuple[LibController, int]]:
    """Libraries that have another number of threads, with that number."""
    found = ((library, library.num_threads) for library in libraries)
    return [(library, before) for library, before in found if before != number]


MOST = 1024
"""Threads beyond this break OpenMP libraries."""

SMALL = 300
"""Orbitals below which threads wait for each other longer than they work."""


def check_threads(threads: int) -> None:
    """Refuse what is no number of threads.

    Raises
    ------
    InputError
        For a number that is not between 1 and ``MOST``.
    """
    if not isinstance(threads, Integral) or not 1 <= threads <= MOST:
        raise InputError(f"{threads!r} threads: need 1 to {MOST}")


def useful(threads: int, n_orbital: int) -> int:
    """Threads that help: as many as asked for in a large molecule, one in a small one.

    Raises
    ------
    InputError
        As :func:`check_threads`.
    """
    check_threads(threads)
    return threads if n_orbital >= SMALL else 1


class _Shared:
    """The number of BLAS threads in force, and how many calculations rely on it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.number = self.users = 0
        self.before: list[tuple[LibController, int]] = []

    def enter(self, number: int) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self.users or self.number == number)
            if not self.users:
                libraries = _libraries("blas").lib_controllers
                self.before = _others(libraries, number)
                for library, _ in self.before:
                    _set(library, number)
                self.number = number
            self.users += 1

    def leave(self) -> None:
        with self.changed:
            self.users -= 1
            if not self.users:
                for library, number in self.before:
                    _set(library, number)
                self.changed.notify_all()


_BLAS = _Shared()


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Run a block with so many threads in BLAS, LAPACK and OpenMP libraries.

    Blocks must not be nested with different numbers: the inner one would wait for the outer.

    Raises
    ------
    InputError
        For a number that is not between 1 and ``MOST``.
    """
    check_threads(threads)
    before = _others(_libraries("openmp").lib_controllers, threads)
    _BLAS.enter(threads)
    try:
        for library, _ in before:
            _set(library, threads)
        yield
    finally:
        for library, number in before:
            _set(library, number)
        _BLAS.leave()
