"""A manifest: how every file of reference data follows from lists, in one TOML.

Tables ``[[reference]]`` and ``[[surfaces]]`` say what ``mlsemi reference`` and ``mlsemi surfaces``
are asked for; ``[[given]]`` are files that are not made here, with the reason why. Files are named
relative to the manifest and made in the order in which they need each other; those that are there
stay, unfinished ones go on.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mlsemi.errors import InputError
from mlsemi.training.data.written import first_mistake, toml
from mlsemi.training.generators.distillation import teach
from mlsemi.training.generators.surface_lists import surfaces_of_list
from mlsemi.training.reference.commands import reference_command

COUNT = Annotated[int, Field(ge=0, strict=True)]
EXACT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=EXACT)
class ReferenceFile:
    """A dataset; entries as of :func:`~mlsemi.training.reference.commands.reference_command`.

    Attributes
    ----------
    path : str
    inputs, skip : tuple of str
    frames : int, optional
    temperatures : tuple of float, optional
    stretches, contacts, seed : int
    method, basis : str
    grid : int
    forces : bool
    excitations, ris : int
    counterpoise : bool
    heavy_atoms : int, optional
    first : int
    only : str
        File of labels.
    lean : bool
    testing : bool
        Never for training: molecules that are excluded elsewhere may be among these.
    note : str
        What somebody who reads the file should know.
    """

    path: str
    inputs: tuple[str, ...]
    skip: tuple[str, ...] = ()
    frames: COUNT | None = None
    temperatures: tuple[float, ...] | None = None
    stretches: COUNT = 0
    contacts: COUNT = 0
    seed: int = 0
    method: str = "b3lyp"
    basis: str = "def2-tzvp"
    grid: COUNT = 2
    forces: bool = False
    excitations: COUNT = 0
    ris: COUNT = 0
    counterpoise: bool = False
    heavy_atoms: COUNT | None = None
    first: COUNT = 0
    only: str = ""
    lean: bool = False
    testing: bool = False
    note: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Files that must be there first."""
        return (*self.inputs, *self.skip, *([self.only] if self.only else []))


@dataclass(frozen=True, kw_only=True, config=EXACT)
class SurfaceFile:
    """A file of surfaces.

    Attributes
    ----------
    path : str
    by : str
        Along relaxations with GFN2-xTB, by the dynamics of a parameter set, broken bonds, or the
        mean of several sets.
    inputs : tuple of str
    sets : tuple of str
        The parameter set or sets: names, or folders relative to the manifest.
    seed : int
    method, basis : str
        Of broken bonds.
    grid : int
        Of broken bonds.
    first : int
        Only so many training molecules of the lists (0: all).
    kept : bool
        Whether the file itself is data, or only on the way to others.
    note : str
    """

    path: str
    by: Literal["relaxations", "dynamics", "breaking", "teachers"]
    inputs: tuple[str, ...]
    sets: tuple[str, ...] = ()
    seed: int = 1
    method: str = "b3lyp"
    basis: str = "def2-tzvp"
    grid: COUNT = 2
    first: COUNT = 0
    kept: bool = True
    note: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Files that must be there first."""
        return self.inputs


@dataclass(frozen=True, kw_only=True, config=EXACT)
class GivenFile:
    """A file that is not made here.

    Attributes
    ----------
    path, why : str
    """

    path: str
    why: str

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


Made = ReferenceFile | SurfaceFile | GivenFile


@dataclass(frozen=True, kw_only=True, config=EXACT)
class Manifest:
    """All files.

    Attributes
    ----------
    reference : tuple of ReferenceFile
    surfaces : tuple of SurfaceFile
    given : tuple of GivenFile
    exclude : str
        File of sha256(InChIKey) of molecules to leave out.
    """

    reference: tuple[ReferenceFile, ...] = ()
    surfaces: tuple[SurfaceFile, ...] = ()
    given: tuple[GivenFile, ...] = ()
    exclude: str = ""

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read a TOML file.

        Raises
        ------
        InputError
            If it is missing, is no manifest, or names a file twice.
        """
        try:
            found = TypeAdapter(cls).validate_python(toml(path))
        except ValidationError as error:
            raise InputError(f"{path}: {first_mistake(error)}") from None
        paths = [entry.path for entry in found.entries]
        twice = next((name for name in paths if paths.count(name) > 1), None)
        if twice:
            raise InputError(f"{path}: {twice} stands there twice")
        return found

    @property
    def entries(self) -> list[Made]:
        """Every file."""
        return [*self.given, *self.reference, *self.surfaces]

    def ordered(self, wanted: Sequence[str] = ()) -> list[Made]:
        """The files (all, or some and what they need), each after those it needs.

        Raises
        ------
        InputError
            If a file is not in the manifest, or files need each other in a circle.
        """
        known = {entry.path: entry for entry in self.entries}
        if unknown := [name for name in wanted if name not in known]:
            raise InputError(f"{unknown[0]}: not in the manifest")
        graph: dict[str, list[str]] = {}
        open_ends = list(wanted or known)
        while open_ends:
            name = open_ends.pop()
            if name not in graph:
                graph[name] = [need for need in known[name].needs if need in known]
                open_ends += graph[name]
        try:
            return [known[name] for name in graphlib.TopologicalSorter(graph).static_order()]
        except graphlib.CycleError as error:
            raise InputError(f"files need each other: {' -> '.join(error.args[1])}") from None


@plain_dataclass(frozen=True)
class Workforce:
    """Who computes.

    Attributes
    ----------
    processes : int or None
        One per core by default.
    scheduler : str or None
        Address of a dask scheduler that does the reference calculations instead.
    backend : str
        Program of SCF and forces.
    quiet : bool
    """

    processes: int | None = None
    scheduler: str | None = None
    backend: str = "pyscf"
    quiet: bool = False


def make_all(
    path: Path,
    wanted: Sequence[str] = (),
    by: Workforce | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Make the files of a manifest that are missing, and return their names.

    Parameters
    ----------
    path : Path
        The manifest.
    wanted : sequence of str
        Only these files and what they need.
    by : Workforce, optional
    tell : callable
        Of one line for every file.

    Raises
    ------
    InputError
        If the manifest cannot be read, or a file is missing that it does not make.
    """
    manifest, folder, by = Manifest.load(path), path.resolve().parent, by or Workforce()
    lacking = [e for e in manifest.ordered(wanted) if not (folder / e.path).exists()]
    needed = {need for entry in lacking for need in entry.needs} | set(wanted)
    todo = [e for e in lacking if getattr(e, "kept", True) or e.path in needed]
    made = {entry.path for entry in todo}
    for entry in todo:
        lost = [n for n in entry.needs if not (folder / n).exists() and n not in made]
        if isinstance(entry, GivenFile) or lost:
            what = f"{entry.path}: {entry.why}" if isinstance(entry, GivenFile) else lost[0]
            raise InputError(f"{path}: cannot be made here: {what}")
    exclude = folder / manifest.exclude if manifest.exclude else None
    for number, entry in enumerate(todo, 1):
        tell(f"{number} of {len(todo)}: {entry.path}")
        if isinstance(entry, ReferenceFile):
            _make_reference(entry, folder, exclude, by)
        elif isinstance(entry, SurfaceFile):
            _make_surfaces(entry, folder, exclude, by)
    return [entry.path for entry in todo]


def _make_reference(
    entry: ReferenceFile, folder: Path, exclude: Path | None, by: Workforce
) -> None:
    asked = {f.name: getattr(entry, f.name) for f in fields(entry) if f.name not in NAMES}
    reference_command(
        [folder / name for name in entry.inputs],
        folder / entry.path,
        skip=[folder / name for name in entry.skip],
        only=folder / entry.only if entry.only else None,
        exclude=None if entry.testing else exclude,
        processes=by.processes,
        scheduler=by.scheduler,
        backend=by.backend,
        quiet=by.quiet,
        **asked,
    )


NAMES = ("path", "inputs", "skip", "only", "testing", "note")
"""Entries that are no option of the calculation."""


def _make_surfaces(entry: SurfaceFile, folder: Path, exclude: Path | None, by: Workforce) -> None:
    from mlsemi.training.reference.calculation import Level

    inputs, output = [folder / name for name in entry.inputs], folder / entry.path
    sets = [str(folder / name) if (folder / name).is_dir() else name for name in entry.sets]
    last = entry.seed, by.processes, by.quiet
    if entry.by == "teachers":
        teach(inputs, output, sets, exclude, *last)
        return
    level = Level(entry.method, entry.basis, entry.grid, forces=True)
    dynamics = sets[0] if entry.by == "dynamics" else None
    breaking = level if entry.by == "breaking" else None
    surfaces_of_list(inputs, output, exclude, dynamics, breaking, *last, entry.first)
