"""Worker processes on this machine: one thread each, and the death of one is survived.

The operating system kills workers that ask for too much memory. The pool is then rebuilt and
the jobs that were running are repeated one at a time: only a job that kills its worker while it
runs alone is given up.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from mlsemi.errors import InputError, MlsemiError
from mlsemi.machine.workers import THREAD_VARIABLES, cluster, end_with_parent

KILLED = "the worker process was killed, probably for lack of memory"

CORE_TYPE = ("OPENBLAS_CORETYPE", "Haswell")
"""The OpenBLAS kernels that every processor with AVX2 can run."""

JobT = TypeVar("JobT")


@dataclass(frozen=True)
class Workforce:
    """Who computes.

    Attributes
    ----------
    processes : int or None
        On this machine; one per core that it may use by default.
    scheduler : str or None
        Address of a dask scheduler that does reference calculations instead; its workers must see
        the folder of the output.
    backend : str
        Program of SCF and forces: ``pyscf`` or ``gpu4pyscf``.
    quiet : bool
        No progress bar and no summary.

    Raises
    ------
    InputError
        For less than one process.
    """

    processes: int | None = None
    scheduler: str | None = None
    backend: str = "pyscf"
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise InputError(f"processes must be at least 1, got {self.processes}")

    @property
    def n_process(self) -> int:
        """Number of processes on this machine."""
        if self.processes is not None:
            return self.processes
        from loky import cpu_count

        return int(cpu_count())


def has_avx2() -> bool:
    """Whether this is a Linux machine whose processor has AVX2 instructions."""
    try:
        return "avx2" in Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False


def start_worker() -> None:
    """Initialiser of a worker: one thread, and no life after its parent."""
    threadpool_limits(1)
    end_with_parent()


def process_pool(processes: int) -> ProcessPoolExecutor:
    """Pool of single-threaded processes.

    The thread variables are set here, in the parent, because a spawned worker loads its
    numerical libraries before any initialiser runs. PySCF's own OpenBLAS is older than many
    processors and takes them for ancient ones, at a third of the speed: see :data:`CORE_TYPE`.

    Raises
    ------
    MlsemiError
        If processes cannot be started at all.
    """
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    if has_avx2():
        os.environ.setdefault(*CORE_TYPE)
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
    )
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool:
        raise MlsemiError("worker processes cannot be started on this machine") from None
    return pool


def run_jobs(
    function: Callable[[JobT], str | None],
    jobs: Iterable[JobT],
    processes: int,
    progress: Callable[[JobT, str | None], None],
    give_up: Callable[[JobT, str], None],
) -> None:
    """Apply ``function`` to every job in a pool of processes.

    Parameters
    ----------
    function : callable
        Picklable; returns a failure reason or None.
    jobs : iterable
    processes : int
    progress : callable
        Called with each finished job and its failure reason.
    give_up : callable
        Called, before ``progress``, with a job that kills its worker and the reason.
    """
    runner = _Runner(function, list(jobs), processes, progress, give_up)
    while runner.waiting or runner.suspects:
        runner.one_pool()


def run_jobs_on(
    scheduler: str,
    function: Callable[[JobT], str | None],
    jobs: Iterable[JobT],
    progress: Callable[[JobT, str | None], None],
    give_up: Callable[[JobT, str], None],
) -> None:
    """As :func:`run_jobs`, by the workers of a dask scheduler.

    Parameters
    ----------
    scheduler : str
        Its address.
    function, jobs, progress, give_up
        As there.

    Raises
    ------
    InputError
        If no scheduler answers, or it has no workers.
    """
    with cluster(scheduler) as (executor, _):
        futures = {executor.submit(function, job): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            try:
                reason = future.result()
            except Exception as error:
                # dask gives a job up after it has taken several workers down with it
                if type(error).__name__ != "KilledWorker":
                    raise
                reason = KILLED
                give_up(job, reason)
            progress(job, reason)


class _Runner(Generic[JobT]):
    """The queue of :func:`run_jobs`; at most one job per process is handed out at a time.

    So the jobs in hand when a pool breaks are exactly those that may have broken it.
    """

    def __init__(
        self,
        function: Callable[[JobT], str | None],
        jobs: list[JobT],
        processes: int,
        progress: Callable[[JobT, str | None], None],
        give_up: Callable[[JobT, str], None],
    ) -> None:
        self.function = function
        self.waiting = jobs[::-1]
        self.suspects: list[JobT] = []
        self.processes = processes
        self.progress = progress
        self.give_up = give_up
        self.running: dict[Future[str | None], JobT] = {}

    def one_pool(self) -> None:
        """Work until everything is done or the pool breaks."""
        alone = bool(self.suspects)
        try:
            with process_pool(1 if alone else self.processes) as pool:
                try:
                    while self._hand_out(pool, alone):
                        self._take_in()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        except BrokenProcessPool:
            lost, self.running = list(self.running.values()), {}
            if alone and lost:
                self.give_up(lost[0], KILLED)
                self.progress(lost[0], KILLED)
            elif not alone:
                self.suspects = lost

    def _hand_out(self, pool: ProcessPoolExecutor, alone: bool) -> int:
        source = self.suspects if alone else self.waiting
        limit = 1 if alone else self.processes
        while source and len(self.running) < limit:
            job = source.pop()
            try:
                self.running[pool.submit(self.function, job)] = job
            except BrokenProcessPool:
                source.append(job)
                raise
        return len(self.running)

    def _take_in(self) -> None:
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            reason = future.result()
            self.progress(self.running.pop(future), reason)
