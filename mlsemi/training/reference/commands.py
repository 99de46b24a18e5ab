"""The command behind ``mlsemi reference``: inputs -> jobs -> campaign -> dataset file."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mlsemi.errors import InputError, MlsemiError
from mlsemi.outputs import check_distinct
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.exclusion import read_hashes
from mlsemi.training.reference.inputs import ReferenceFile
from mlsemi.training.reference.workers import Workforce, run_jobs, run_jobs_on

if TYPE_CHECKING:
    from mlsemi.training.reference.calculation import Level
    from mlsemi.training.reference.campaign import Job

SPEED_WINDOW = 1800.0
"""Seconds over which the progress bar averages; one molecule takes seconds to minutes."""

Notify = Callable[["Job", "str | None"], None]


def reference_command(
    asked: ReferenceFile,
    by: Workforce | None = None,
    exclude: str | os.PathLike[str] | None = None,
    collect_only: bool = False,
) -> ReferenceDataset:
    """Large-basis reference calculations of many molecules -> one dataset file.

    Every finished molecule is a part file in the folder ``PATH.parts``; the same call after any
    interruption goes on where it stopped.

    Parameters
    ----------
    asked : ReferenceFile
        Its inputs may be empty with ``collect_only``.
    by : Workforce, optional
    exclude : path, optional
        Text file of sha256(InChIKey) hashes of molecules to leave out.
    collect_only : bool
        Only write the dataset of what is finished.

    Raises
    ------
    InputError
        For inputs that cannot be read, a level that PySCF does not know, or a folder that is not
        there.
    ParameterError
        If nothing was computed, or the folder belongs to other settings.
    MlsemiError
        If a program is missing.
    """
    require_programs()
    from mlsemi.training.reference.campaign import collect

    by, output = by or Workforce(), Path(asked.path)
    if not asked.inputs and not collect_only:
        raise InputError("no input files given")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise InputError(f"{output}: is a folder, or stands in one that does not exist")
    check_distinct(asked.inputs, [output])
    # what is finished can be collected where the backend is not installed
    level = None if collect_only else asked.level(by.backend)
    jobs = asked.jobs(read_hashes(exclude)) if asked.inputs else None
    folder = Path(f"{output}.parts").absolute()
    if jobs and level is not None:
        _compute(jobs, folder, asked, level, by)
    dataset, failures = collect(folder, jobs)
    if asked.lean:
        provenance = dataset.provenance | {"lean": True}
        dataset = ReferenceDataset(tuple(r.lean() for r in dataset), provenance)
    dataset.save(output)
    if not by.quiet:
        _summary(output, dataset, failures, folder)
    return dataset


def require_programs(names: Sequence[str] = ("pyscf", "rdkit", "tblite")) -> None:
    """Check that optional programs are installed.

    Raises
    ------
    MlsemiError
        Naming what is missing and the command that installs it.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise MlsemiError(
            f"reference calculations need {' and '.join(missing)}: pip install mlsemi[reference]"
        )


def _compute(
    jobs: Sequence[Job], folder: Path, asked: ReferenceFile, level: Level, by: Workforce
) -> None:
    """Do all jobs that are neither done nor failed, here or on a cluster."""
    from mlsemi.training.reference.campaign import compute, open_folder, pending, record_failure

    sampling = asked.sampling()
    open_folder(folder, sampling, level)
    todo, n_job = pending(jobs, folder), len({job.key for job in jobs})
    work = partial(compute, sampling=sampling, level=level, folder=folder)
    give_up = partial(record_failure, folder=folder)
    with _progress(n_job, n_job - len(todo), by.quiet) as one_more:
        if by.scheduler is None:
            run_jobs(work, todo, min(by.n_process, max(len(todo), 1)), one_more, give_up)
            return

        def shared(job: Job, reason: str | None) -> None:
            if reason is None and not (folder / f"{job.key}.npz").exists():
                raise InputError(f"{folder}: the workers do not see this folder; use a shared one")
            one_more(job, reason)

        run_jobs_on(by.scheduler, work, todo, shared, give_up)


@contextmanager
def _progress(total: int, done: int, quiet: bool) -> Iterator[Notify]:
    """Progress on standard error, and what shows one more finished job."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("[yellow]{task.fields[failures]}"),
    )
    failures = 0
    with Progress(
        *columns,
        console=Console(stderr=True, quiet=quiet),
        disable=quiet,
        speed_estimate_period=SPEED_WINDOW,
    ) as bar:
        task = bar.add_task("reference", total=total, completed=done, failures="")

        def one_more(job: Job, reason: str | None) -> None:
            nonlocal failures
            if reason is not None:
                failures += 1
                bar.console.print(f"{escape(job.label)}: {escape(reason)}", style="yellow")
            bar.update(task, advance=1, failures=f"{failures} failed" if failures else "")

        yield one_more


def _summary(
    output: Path, dataset: ReferenceDataset, failures: list[tuple[str, str]], folder: Path
) -> None:
    console = Console()
    splits = Counter(record.split for record in dataset)
    console.print(
        f"{output}: {len(dataset)} records of {len(dataset.molecules)} molecules ("
        + ", ".join(f"{splits[name]} {name}" for name in splits)
        + f"), checksum {dataset.checksum[:12]}",
        soft_wrap=True,
        highlight=False,
    )
    if not failures:
        return
    table = Table("failed", "reason", "first", box=None, pad_edge=False)
    reasons = Counter(reason for _, reason in failures)
    for reason, count in reasons.most_common():
        first = next(label for label, why in failures if why == reason)
        table.add_row(str(count), escape(reason), escape(first))
    console.print(table)
    console.print(f"to try them again: delete {folder}/*.failed", soft_wrap=True, highlight=False)
