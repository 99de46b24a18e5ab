"""A manifest: how every file of reference data follows from lists, in one TOML.

Tables ``[[reference]]`` and ``[[surfaces]]`` say what ``mlsemi reference`` and ``mlsemi surfaces``
are asked for; ``[[given]]`` are files that are not made here, with the reason why. Files are named
relative to the manifest and made in the order in which they need each other; those that are there
stay, unfinished ones go on.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mlsemi.errors import InputError
from mlsemi.training.data.written import first_mistake, toml
from mlsemi.training.generators.surface_lists import SurfaceFile, surfaces_command
from mlsemi.training.reference.commands import reference_command
from mlsemi.training.reference.inputs import ReferenceFile
from mlsemi.training.reference.workers import Workforce

EXACT = ConfigDict(extra="forbid")


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
            reference_command(entry.within(folder), by, None if entry.testing else exclude)
        elif isinstance(entry, SurfaceFile):
            surfaces_command(entry.within(folder), by, exclude)
    return [entry.path for entry in todo]
