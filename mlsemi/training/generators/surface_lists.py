"""Files of surfaces, without a reference calculation of each geometry: ``mlsemi surfaces``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from rich.console import Console
from rich.progress import track

from mlsemi.errors import InputError, MlsemiError
from mlsemi.outputs import check_writable
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import split_of
from mlsemi.training.data.exclusion import read_hashes
from mlsemi.training.data.surfaces import Surface, load_surfaces, save_surfaces
from mlsemi.training.generators.active_learning import explored_surfaces
from mlsemi.training.generators.relaxations import relaxation_surfaces
from mlsemi.training.reference.commands import require_programs
from mlsemi.training.reference.workers import Workforce, process_pool

NEEDED = {
    "relaxations": ("rdkit", "tblite"),
    "dynamics": ("rdkit",),
    "breaking": ("pyscf", "rdkit", "tblite"),
}
"""Programs that each way of making surfaces asks for."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SurfaceFile:
    """A file of surfaces of the training molecules of lists.

    Attributes
    ----------
    path : str
        HDF5 file to write, see :mod:`mlsemi.training.data.surfaces`.
    by : str
        Along relaxations with GFN2-xTB; by the hot dynamics of a parameter set; or broken bonds, of
        which finished molecules are kept in the folder ``PATH.parts``.
    inputs : tuple of str
        Lists with one SMILES per line.
    parameters : str
        The parameter set that moves by its own dynamics: a name or a folder.
    seed : int
        Of all random numbers.
    method, basis : str
        Of broken bonds.
    grid : int
        Of broken bonds.
    first : int
        Only so many training molecules of the lists (0: all).
    kept : bool
        Whether the file itself is data, or only on the way to others.
    note : str
        What somebody who reads the file should know.
    """

    path: str
    by: Literal["relaxations", "dynamics", "breaking"]
    inputs: tuple[str, ...]
    parameters: str = ""
    seed: int = 1
    method: str = "b3lyp"
    basis: str = "def2-tzvp"
    grid: Annotated[int, Field(ge=0, strict=True)] = 2
    first: Annotated[int, Field(ge=0, strict=True)] = 0
    kept: bool = True
    note: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Files that must be there first."""
        return self.inputs

    def within(self, folder: Path) -> SurfaceFile:
        """The same with files, and a set that is a folder there, relative to a folder."""
        inputs = tuple(str(folder / name) for name in self.inputs)
        own = folder / self.parameters
        known = str(own) if self.parameters and own.is_dir() else self.parameters
        return replace(self, path=str(folder / self.path), inputs=inputs, parameters=known)

    def molecules(self, excluded: frozenset[str]) -> list[tuple[str, str]]:
        """(SMILES, InChIKey) of the molecules that the file may hold.

        Parameters
        ----------
        excluded : frozenset of str
            sha256(InChIKey) of molecules to leave out.
        """
        return molecules_of(self.inputs, excluded)[: self.first or None]


def surfaces_command(
    asked: SurfaceFile,
    by: Workforce | None = None,
    exclude: str | os.PathLike[str] | None = None,
) -> list[Surface]:
    """Make a file of surfaces.

    Parameters
    ----------
    asked : SurfaceFile
    by : Workforce, optional
    exclude : path, optional
        sha256(InChIKey) of molecules to leave out.

    Raises
    ------
    InputError
        If a list cannot be read, or no molecule gives a geometry.
    ParameterError
        If a file or a set is missing or damaged.
    MlsemiError
        If a program is missing, or a worker process dies.
    """
    by = by or Workforce()
    excluded = read_hashes(exclude)
    check_writable(asked.path)
    require_programs(NEEDED[asked.by])
    find, provenance = _finder(asked)
    molecules = asked.molecules(excluded)
    console = Console(stderr=True, quiet=by.quiet)
    surfaces = together(partial(find, seed=asked.seed), molecules, by, console)
    if not surfaces:
        what = f" that is strange to {asked.parameters}" if asked.by == "dynamics" else ""
        raise InputError(f"no training molecule in the lists gives a geometry{what}")
    save_surfaces(asked.path, surfaces, provenance)
    n_molecule = len({surface.molecule for surface in surfaces})
    console.print(
        f"{asked.path}: {len(surfaces)} geometries of {n_molecule} molecules; "
        f"{len(molecules) - n_molecule} molecules gave none"
    )
    return surfaces


def _finder(asked: SurfaceFile) -> tuple[Callable[..., list[Surface]], dict[str, object]]:
    """What finds surfaces of one molecule, and what is recorded of it."""
    about: dict[str, object] = {"seed": asked.seed}
    if asked.by == "dynamics":
        if not asked.parameters:
            raise InputError(f"{asked.path}: parameters: whose dynamics? Give the name of a set")
        known = Parameters.load(asked.parameters)
        about |= {"dynamics": known.name, "checksum": known.checksum}
        return partial(explored_surfaces, parameters=asked.parameters), about
    if asked.by == "relaxations":
        return relaxation_surfaces, about
    from mlsemi.training.generators.breaking import breaking_surfaces
    from mlsemi.training.reference.calculation import Level

    level = Level(asked.method, asked.basis, asked.grid, forces=True)
    about |= {"breaking": level.provenance()}
    kept = partial(
        kept_surfaces,
        find=partial(breaking_surfaces, level=level),
        settings=json.dumps(about, sort_keys=True),
        folder=Path(f"{asked.path}.parts"),
    )
    return kept, about


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
    find: Callable[[tuple[str, str]], list[Surface]],
    molecules: Sequence[tuple[str, str]],
    by: Workforce,
    console: Console,
) -> list[Surface]:
    """What ``find`` gives for every molecule, in order, by worker processes, with progress.

    Raises
    ------
    MlsemiError
        If a worker process dies.
    """
    try:
        with process_pool(by.n_process) as pool:
            work = pool.map(find, molecules, chunksize=4)
            shown = track(work, "surfaces", len(molecules), console=console, disable=console.quiet)
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
