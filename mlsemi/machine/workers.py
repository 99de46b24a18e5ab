"""The same work on many items: in this process, in several, or on a dask cluster.

Results come in the order of the items, and only so many items are on their way at once that memory
does not grow with their number. What the work does is decided elsewhere: it takes a list of items
and returns a list of results, and both must be such that pickle can carry them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from typing import TypeVar

from mlsemi.errors import InputError, MlsemiError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
Work = Callable[[list[ItemT]], list[ResultT]]

MOST_AT_ONCE = 64
"""Items in one piece of work."""
SECONDS = 0.1
"""A piece should take about so long: handing it over costs a millisecond, and a process that is
ended loses the pieces it has begun."""
AHEAD = 3
"""Pieces on their way to each worker."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PATIENCE = 30
"""Seconds to wait for a scheduler and its first worker."""


def in_order(
    work: Work[ItemT, ResultT],
    items: Iterable[ItemT],
    processes: int = 1,
    scheduler: str | None = None,
) -> Iterator[ResultT]:
    """Results of all items in their order, each as soon as it and those before it are there.

    Parameters
    ----------
    work : function from a list of items to the list of their results
    items : iterable
        Taken as needed. If it fails, the results of the items before come first.
    processes : int
        More than one: so many processes of this machine.
    scheduler : str, optional
        Address of a dask scheduler, whose workers have this package installed.

    Raises
    ------
    InputError
        For a number of processes below one, or a scheduler that does not answer.
    MlsemiError
        If a process is ended from outside.
    """
    if processes < 1:
        raise InputError(f"{processes} processes: need at least one")
    pieces = _Pieces(iter(items))
    if processes == 1 and scheduler is None:
        for piece in pieces:
            results, seconds = _timed(work, piece)
            pieces.learn(len(piece), seconds)
            yield from results
        pieces.fail()
        return
    waiting: deque[tuple[int, Future[tuple[list[ResultT], float]]]] = deque()

    def oldest() -> list[ResultT]:
        size, future = waiting.popleft()
        results, seconds = future.result()
        pieces.learn(size, seconds)
        return results

    with _executor(processes, scheduler) as (executor, n_worker):
        for piece in pieces:
            waiting.append((len(piece), executor.submit(_timed, work, piece)))
            while len(waiting) >= AHEAD * n_worker or (waiting and waiting[0][1].done()):
                yield from oldest()
        while waiting:
            yield from oldest()
    pieces.fail()


class _Pieces(Iterator[list[ItemT]]):
    """Items in lists that grow from one item to what takes ``SECONDS``."""

    def __init__(self, items: Iterator[ItemT]) -> None:
        self.items, self.size = items, 1
        self.failure: Exception | None = None

    def __next__(self) -> list[ItemT]:
        piece: list[ItemT] = []
        try:
            while len(piece) < self.size and self.failure is None:
                piece.append(next(self.items))
        except StopIteration:
            pass
        except MlsemiError as error:
            self.failure = error
        if not piece:
            raise StopIteration
        return piece

    def learn(self, size: int, seconds: float) -> None:
        """Take the time of a piece into account; at most twice as many items as before."""
        fitting = int(size * SECONDS / max(seconds, 1e-6))
        self.size = max(1, min(fitting, 2 * self.size, MOST_AT_ONCE))

    def fail(self) -> None:
        """Raise what has ended the items, if it was not their end."""
        if self.failure is not None:
            raise self.failure


def _timed(work: Work[ItemT, ResultT], items: list[ItemT]) -> tuple[list[ResultT], float]:
    start = time.perf_counter()
    results = work(items)
    return results, time.perf_counter() - start


@contextmanager
def _executor(processes: int, scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """What runs the work, and how many pieces it runs at once."""
    if scheduler is not None:
        with cluster(scheduler) as found:
            yield found
        return
    from loky import ProcessPoolExecutor

    # one thread each, also in libraries that look at the environment alone
    one = dict.fromkeys(THREAD_VARIABLES, "1")
    executor = ProcessPoolExecutor(processes, initializer=_begin, env=one)
    try:
        yield executor, processes
    except BrokenExecutor:
        executor.shutdown(kill_workers=True)
        raise MlsemiError(
            "a worker process was ended from outside (by a person, or for lack of memory)"
        ) from None
    except BaseException:
        executor.shutdown(kill_workers=True)
        raise
    executor.shutdown()


def _begin() -> None:
    """Ctrl-C reaches the whole group of processes: the one in front ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """One that is killed cannot end its workers: they see that they have another parent."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """Executor on the workers of a dask scheduler, and how many pieces of work they do at once.

    Raises
    ------
    InputError
        If no scheduler answers, or it has no workers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"no dask scheduler answers at {address} ({error})") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(f"the dask scheduler at {address} has no workers") from None
        n_worker = sum(client.nthreads().values())
        executor = client.get_executor(pure=False)
        try:
            yield executor, n_worker
        except BaseException:
            executor.shutdown(wait=False)
            raise
