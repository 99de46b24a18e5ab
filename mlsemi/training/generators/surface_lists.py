"""Auxiliary surfaces of the molecules of SMILES lists: ``mlsemi surfaces``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import track

from mlsemi.errors import InputError, MlsemiError
from mlsemi.outputs import check_writable
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import split_of
from mlsemi.training.data.surfaces import Surface, load_surfaces, save_surfaces
from mlsemi.training.generators.active_learning import explored_surfaces
from mlsemi.training.generators.relaxations import relaxation_surfaces
from mlsemi.training.reference.commands import available_cores, require_programs
from mlsemi.training.reference.inputs import read_hashes
from mlsemi.training.reference.workers import process_pool

if TYPE_CHECKING:
    from mlsemi.training.reference.calculation import Level

Item = TypeVar("Item")
Found = TypeVar("Found")


def surfaces_of_list(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    exclude: str | os.PathLike[str] | None = None,
    dynamics: str | None = None,
    breaking: Level | None = None,
    seed: int = 1,
    processes: int | None = None,
    quiet: bool = False,
    first: int = 0,
) -> list[Surface]:
    """Auxiliary surfaces of the training molecules of SMILES lists -> one file.

    Parameters
    ----------
    inputs : sequence of path
        One SMILES per line.
    output : path
        HDF5 file to write, see :mod:`mlsemi.training.data.surfaces`.
    exclude : path, optional
        sha256(InChIKey) of molecules to leave out.
    dynamics : str, optional
        Parameter set whose own dynamics is followed, instead of relaxations with GFN2-xTB.
    breaking : Level, optional
        Bonds are pulled apart at this level of theory instead, see
        :mod:`mlsemi.training.generators.breaking`. Finished molecules are kept in the folder
        ``OUTPUT.parts``: the same call continues a run that was stopped.
    seed : int
        Of all random numbers.
    processes : int, optional
        One per core by default.
    quiet : bool
        No progress bar and no summary.
    first : int
        Only so many training molecules (0: all).

    Returns
    -------
    list of Surface

    Raises
    ------
    InputError
        If a list cannot be read or no molecule gives a geometry.
    ParameterError
        If the parameter set is missing or damaged.
    MlsemiError
        If a program is missing, or a worker process dies.
    """
    require_programs(("rdkit", "tblite") if dynamics is None else ("rdkit",))
    output = Path(output)
    check_writable(output)
    provenance: dict[str, object] = {"seed": seed}
    surfaces_of = relaxation_surfaces
    if dynamics is not None:
        known = Parameters.load(dynamics)
        provenance |= {"dynamics": known.name, "checksum": known.checksum}
        surfaces_of = partial(explored_surfaces, parameters=dynamics)
    elif breaking is not None:
        from mlsemi.training.generators.breaking import breaking_surfaces

        provenance |= {"breaking": breaking.provenance()}
        surfaces_of = partial(
            kept_surfaces,
            find=partial(breaking_surfaces, level=breaking),
            settings=json.dumps(provenance, sort_keys=True),
            folder=Path(f"{output}.parts"),
        )
    labels = molecules_of(inputs, read_hashes(exclude))[: first or None]
    console = Console(stderr=True, quiet=quiet)
    surfaces = together(partial(surfaces_of, seed=seed), labels, processes, console)
    if not surfaces:
        what = "a geometry" if dynamics is None else f"a geometry that is strange to {dynamics}"
        raise InputError(f"no training molecule in the lists gives {what}")
    save_surfaces(output, surfaces, provenance)
    if not quiet:
        n_molecule = len({surface.molecule for surface in surfaces})
        console.print(
            f"{output}: {len(surfaces)} geometries of {n_molecule} molecules; "
            f"{len(labels) - n_molecule} molecules gave none"
        )
    return surfaces


def kept_surfaces(
    of: tuple[str, str],
    seed: int,
    find: Callable[..., list[Surface]],
    settings: str,
    folder: Path,
) -> list[Surface]:
    """Surfaces of one molecule from its part file, which is written if there is none.

    Parameters
    ----------
    of : (SMILES, InChIKey)
    seed : int
    find : callable
        Of ``of`` and ``seed``.
    settings : str
        All that the surfaces depend on but the molecule.
    folder : Path
    """
    part = folder / f"{hashlib.sha256(f'{of} {settings}'.encode()).hexdigest()[:20]}.h5"
    if part.exists():
        return load_surfaces(part)
    found = find(of, seed=seed)
    if found:
        folder.mkdir(parents=True, exist_ok=True)
        save_surfaces(part, found)
    return found


def together(
    find: Callable[[Item], list[Found]],
    items: Sequence[Item],
    processes: int | None,
    console: Console,
) -> list[Found]:
    """What ``find`` gives for every item, in their order, by worker processes, with progress.

    Raises
    ------
    MlsemiError
        If a worker process dies.
    """
    try:
        with process_pool(processes or available_cores()) as pool:
            work = pool.map(find, items, chunksize=4)
            shown = track(work, "surfaces", len(items), console=console, disable=console.quiet)
            return [one for some in shown for one in some]
    except BrokenProcessPool:
        raise MlsemiError("a worker process died: use fewer --processes") from None


def molecules_of(
    inputs: Sequence[str | os.PathLike[str]], excluded: frozenset[str]
) -> list[tuple[str, str]]:
    """(SMILES, InChIKey) of every training molecule of the lists, each once."""
    from rdkit import Chem

    from mlsemi.training.reference.campaign import jobs_of_smiles

    kept = {}
    for path in inputs:
        for job in jobs_of_smiles(path, excluded):
            if split_of(job.molecule) == "train":
                canonical = Chem.MolToSmiles(Chem.MolFromSmiles(job.label))
                kept[canonical] = job.label, job.molecule
    return list(kept.values())
