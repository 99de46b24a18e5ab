"""The commands behind ``mlsemi reference``: inputs -> jobs -> campaign -> dataset file."""

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
from mlsemi.training.reference.inputs import is_known, jobs_of, labels_in, no_more_than, read_hashes
from mlsemi.training.reference.workers import run_jobs

if TYPE_CHECKING:
    from mlsemi.training.reference.calculation import Level
    from mlsemi.training.reference.campaign import Job, Sampling

SPEED_WINDOW = 1800.0
"""Seconds over which the progress bar averages; one molecule takes seconds to minutes."""

Notify = Callable[["Job", "str | None"], None]


def reference_command(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    frames: int | None = None,
    temperatures: Sequence[float] | None = None,
    stretches: int = 0,
    contacts: int = 0,
    seed: int = 0,
    method: str = "b3lyp",
    basis: str = "def2-tzvp",
    grid: int = 2,
    forces: bool = False,
    excitations: int = 0,
    ris: int = 0,
    backend: str = "pyscf",
    counterpoise: bool = False,
    processes: int | None = None,
    scheduler: str | None = None,
    exclude: str | os.PathLike[str] | None = None,
    skip: Sequence[str | os.PathLike[str]] = (),
    heavy_atoms: int | None = None,
    first: int = 0,
    only: str | os.PathLike[str] | None = None,
    lean: bool = False,
    collect_only: bool = False,
    quiet: bool = False,
) -> ReferenceDataset:
    """Large-basis reference calculations of many molecules -> one dataset file.

    Every finished molecule is a part file in the folder ``OUTPUT.parts``; the same command
    started again after any interruption goes on where it stopped.

    Parameters
    ----------
    inputs : sequence of path
        SMILES lists (``.smi``, ``.smiles``, ``.txt``), datasets (``.h5``: same geometries,
        another level), auxiliary surfaces (``.h5``: one geometry of each molecule) or structure
        files. May be empty with ``collect_only``.
    output : path
        Dataset file to write.
    frames : int, optional
        Thermal frames per molecule. By default 1 for SMILES, and the geometry as given for
        structure files.
    temperatures : sequence of float, optional
        Each frame draws one, kelvin; 0 is the relaxed geometry. By default those of ``Sampling``.
    stretches : int
        Geometries with one bond stretched or compressed per molecule, beside the frames.
    contacts : int
        Geometries per complex (``O.C=O``), beside the frames, with its molecules, each relaxed
        alone or all together, rigid at 0.9 to 2 times the distance that GFN2-xTB likes best.
    seed : int
        Of the geometries.
    method, basis : str
        Functional and basis set by PySCF's names.
    grid : int
        PySCF's grid level.
    forces : bool
        Compute forces too.
    excitations : int
        Singlets, and as many triplets, to compute too (full Tamm-Dancoff).
    ris : int
        Singlets to compute too with the minimal auxiliary kernel (TDA-ris).
    backend : str
        Program of SCF and forces: ``pyscf`` or ``gpu4pyscf``.
    counterpoise : bool
        Compute each molecule of a complex in the basis of all too, for interaction energies.
    processes : int, optional
        Worker processes on this machine; by default one per available core.
    scheduler : str, optional
        Address of a dask scheduler; its workers do the jobs instead and must see the folder.
    exclude : path, optional
        Text file of sha256(InChIKey) hashes of molecules to leave out.
    skip : sequence of path
        Datasets and auxiliary surfaces whose entries (by label) are not computed again.
    heavy_atoms : int, optional
        Leave out molecules with more atoms other than hydrogen.
    first : int
        Only so many jobs of those that are left (0: all).
    only : path, optional
        Text file of the labels of jobs that are to be done, one per line.
    lean : bool
        Keep what training needs (:meth:`Reference.lean`).
    collect_only : bool
        Only write the dataset of what is finished.
    quiet : bool
        No progress bar and no summary.

    Returns
    -------
    ReferenceDataset

    Raises
    ------
    InputError
        For inputs that cannot be read and options that make no sense.
    ParameterError
        If nothing was computed, or the folder belongs to other settings.
    MlsemiError
        If a program is missing.
    """
    require_programs()
    from mlsemi.training.reference.calculation import Level
    from mlsemi.training.reference.campaign import Sampling, collect, pending

    output = Path(output)
    temperatures = Sampling.temperatures if temperatures is None else temperatures
    counts = {"stretches": stretches, "contacts": contacts, "excitations": excitations, "ris": ris}
    _check_options(inputs, output, frames, temperatures, counts, processes, collect_only)
    sampling = Sampling(
        1 if frames is None else frames, tuple(map(float, temperatures)), seed, stretches, contacts
    )
    level = None  # what is finished can be collected where the backend is not installed
    if not collect_only:
        level = Level(
            method,
            basis,
            grid,
            forces=forces,
            excitations=excitations,
            ris=ris,
            backend=backend,
            counterpoise=counterpoise,
        )
    jobs = None
    if inputs:
        jobs = jobs_asked_for(
            inputs, frames, contacts, seed, read_hashes(exclude), skip, heavy_atoms, first, only
        )
    folder = Path(f"{output}.parts").absolute()
    if jobs and level is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with _progress(len({job.key for job in jobs}), quiet) as bar:
            todo = pending(jobs, folder)
            bar.already(len({job.key for job in jobs}) - len(todo))
            if scheduler is None:
                count = min(processes or available_cores(), max(len(todo), 1))
                _run_here(todo, folder, count, sampling, level, bar.one_more)
            else:
                _run_on(scheduler, todo, folder, sampling, level, bar.one_more)
    dataset, failures = collect(folder, jobs)
    if lean:
        provenance = dataset.provenance | {"lean": True}
        dataset = ReferenceDataset(tuple(r.lean() for r in dataset), provenance)
    dataset.save(output)
    if not quiet:
        _summary(output, dataset, failures, folder)
    return dataset


def jobs_asked_for(
    inputs: Sequence[str | os.PathLike[str]],
    frames: int | None,
    contacts: int,
    seed: int,
    excluded: frozenset[str],
    skip: Sequence[str | os.PathLike[str]],
    heavy_atoms: int | None,
    first: int,
    only: str | os.PathLike[str] | None,
) -> list[Job]:
    """Every job of the inputs that is to be done; arguments as of :func:`reference_command`.

    Raises
    ------
    InputError
        If nothing is left, or contacts are asked for of given geometries.
    """
    kept = frames if frames or not contacts else None  # contacts need no frames beside them
    jobs = [job for path in inputs for job in jobs_of(path, kept, excluded, seed)]
    if contacts and (given := next((job for job in jobs if job.atoms is not None), None)):
        raise InputError(f"{given.label}: contacts are made of SMILES, not of given geometries")
    known = labels_in(skip)
    jobs = [job for job in no_more_than(heavy_atoms, jobs) if not is_known(job, known)]
    if only is not None:
        wanted = set(Path(only).read_text(encoding="utf-8").split())
        jobs = [job for job in jobs if job.label in wanted]
    if not jobs:
        raise InputError("no molecule is left to compute: the inputs are empty, excluded or known")
    return jobs[: first or None]


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


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_options(
    inputs: Sequence[str | os.PathLike[str]],
    output: Path,
    frames: int | None,
    temperatures: Sequence[float],
    counts: dict[str, int],
    processes: int | None,
    collect_only: bool,
) -> None:
    if not inputs and not collect_only:
        raise InputError("no input files given")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise InputError(f"{output}: is a folder, or stands in one that does not exist")
    check_distinct(inputs, [output])
    if frames is not None and frames < 0:
        raise InputError(f"frames must not be negative, got {frames}")
    if not temperatures or not all(0.0 <= t <= 5000.0 for t in temperatures):
        raise InputError("temperatures must be given and lie between 0 and 5000 kelvin")
    negative = [f"{name} must not be negative, got {n}" for name, n in counts.items() if n < 0]
    if negative:
        raise InputError(negative[0])
    if processes is not None and processes < 1:
        raise InputError(f"processes must be at least 1, got {processes}")


def _run_here(
    jobs: Sequence[Job],
    folder: Path,
    processes: int,
    sampling: Sampling,
    level: Level,
    notify: Notify,
) -> None:
    from mlsemi.training.reference.campaign import compute, open_folder, record_failure

    open_folder(folder, sampling, level)
    run_jobs(
        partial(compute, sampling=sampling, level=level, folder=folder),
        jobs,
        processes,
        notify,
        lambda job, reason: record_failure(job, reason, folder),
    )


def _run_on(
    scheduler: str,
    jobs: Sequence[Job],
    folder: Path,
    sampling: Sampling,
    level: Level,
    notify: Notify,
) -> None:
    from mlsemi.training.reference.campaign import run_campaign

    if importlib.util.find_spec("distributed") is None:
        raise MlsemiError("a scheduler needs dask: pip install mlsemi[cluster]")
    from distributed import Client

    try:
        client = Client(scheduler, timeout="20s")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"no dask scheduler answers at {scheduler} ({error})") from None
    with client:
        run_campaign(jobs, folder, client.get_executor(pure=False), sampling, level, notify)


class _Bar:
    """Progress on standard error, with the failures so far."""

    def __init__(self, bar: Progress, total: int) -> None:
        self.bar = bar
        self.task = bar.add_task("reference", total=total, failures="")
        self.failures = 0

    def already(self, count: int) -> None:
        """Show what an earlier run has finished, without counting it as speed."""
        self.bar.reset(self.task, completed=count)

    def one_more(self, job: Job, reason: str | None) -> None:
        """Show one more finished job."""
        if reason is not None:
            self.failures += 1
            self.bar.console.print(f"{escape(job.label)}: {escape(reason)}", style="yellow")
        text = f"{self.failures} failed" if self.failures else ""
        self.bar.update(self.task, advance=1, failures=text)


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[_Bar]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("[yellow]{task.fields[failures]}"),
    )
    with Progress(
        *columns,
        console=Console(stderr=True, quiet=quiet),
        disable=quiet,
        speed_estimate_period=SPEED_WINDOW,
    ) as bar:
        yield _Bar(bar, total)


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
