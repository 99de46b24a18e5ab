"""Single points of many structures, one after another or side by side, in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

from ase import Atoms

from mlsemi.errors import InputError, MlsemiError, located
from mlsemi.evaluate import as_structure, singlepoint
from mlsemi.machine.workers import in_order
from mlsemi.molecule.formats import Frame, iter_frames
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.periodic.result import CellResult
from mlsemi.result import Result
from mlsemi.sets.releases import DEFAULT

Computed = Result | CellResult
One = TypeVar("One", bound=Result | CellResult)
Source = str | os.PathLike[str] | Atoms | Structure


@dataclass(frozen=True)
class Failure:
    """A structure that could not be computed.

    Attributes
    ----------
    file : str
        Where it came from; empty if it was given as an object.
    index : int or None
        Its number in the file, or among the objects given; None if it could not even be read.
    name : str
    error : MlsemiError
    """

    file: str
    index: int | None
    name: str
    error: MlsemiError

    def to_dict(self) -> dict[str, Any]:
        """Record for JSON."""
        source = {"source": {"file": self.file, "frame": self.index}}
        return source | ({"name": self.name} if self.name else {}) | {"error": str(self.error)}


def singlepoints(
    sources: str | os.PathLike[str] | Iterable[Source],
    *,
    processes: int = 1,
    scheduler: str | None = None,
    on_error: Literal["raise", "keep"] = "raise",
    charge: int | None = None,
    multiplicity: int | None = None,
    parameters: str | os.PathLike[str] | Parameters = DEFAULT,
    **requests: Any,
) -> Iterator[Computed | Failure]:
    """Single points of many structures: an iterator of results, in the order of the structures.

    Structures are read and computed as results are taken, so that memory does not grow with their
    number. ``Result.name`` is the title of a record, or what ``Atoms.info["name"]`` says.

    Parameters
    ----------
    sources : path, or iterable of paths, ase.Atoms and Structure
        Of a path every frame is computed.
    processes : int
        Processes side by side, of one thread each.
    scheduler : str, optional
        Address of a dask scheduler whose workers share the work instead.
    on_error : "raise" or "keep"
        A structure that cannot be read or computed ends the iteration, or stands in its place as a
        :class:`Failure`.
    charge, multiplicity : int, optional
        Of every structure; by default what each says.
    parameters : str, path or Parameters
        Parameter set; a name or path with several processes.
    **requests
        ``singlets``, ``forces``, ``solvent``, ... of :func:`mlsemi.singlepoint`.

    Raises
    ------
    MlsemiError
        As :func:`mlsemi.singlepoint`; InputError for words that are none of the above.
    """
    if on_error not in ("raise", "keep"):
        raise InputError(f"on_error={on_error!r}: give 'raise' or 'keep'")
    apart = processes > 1 or scheduler is not None
    if apart and isinstance(parameters, Parameters):
        raise InputError("give the name or path of the parameter set, which other processes read")
    loaded = parameters if isinstance(parameters, Parameters) else Parameters.load(parameters)
    items = _items(sources, charge, multiplicity)
    settings = {"parameters": parameters} | requests
    work = partial(_light if apart else points, settings=settings)
    for outcome in in_order(work, items, processes, scheduler):
        if isinstance(outcome, Failure):
            if on_error == "raise":
                raise outcome.error
            yield outcome
        else:
            yield replace(outcome, parameters=loaded) if apart else outcome


def points(items: list[Frame | Failure], settings: Mapping[str, Any]) -> list[Computed | Failure]:
    """Single points of a few structures; failures pass through.

    Parameters
    ----------
    items : list of Frame and Failure
    settings : mapping
        Arguments of :func:`mlsemi.singlepoint`.
    """
    return [item if isinstance(item, Failure) else _point(item, settings) for item in items]


def _point(frame: Frame, settings: Mapping[str, Any]) -> Computed | Failure:
    try:
        with located(frame.label):
            result = singlepoint(frame.structure, **settings)
    except MlsemiError as error:
        return Failure(frame.file, frame.index, frame.name, error)
    return with_notes(result, frame)


def with_notes(result: One, frame: Frame) -> One:
    """A result that says also what the reader of its frame had to say."""
    return replace(result, name=frame.name, warnings=(*frame.warnings, *result.warnings))


def _light(items: list[Frame | Failure], settings: Mapping[str, Any]) -> list[Computed | Failure]:
    """The same without the parameters, which the process in front has."""
    return [
        found if isinstance(found, Failure) else replace(found, parameters=None)  # type: ignore[arg-type]
        for found in points(items, settings)
    ]


def frames_of(
    file: str, charge: int | None, multiplicity: int | None, name_field: str | None = None
) -> Iterator[Frame | Failure]:
    """Every record of a file, those that cannot be read as failures in their places.

    Parameters
    ----------
    file : str
    charge, multiplicity : int or None
    name_field : str, optional
        As :func:`mlsemi.molecule.formats.iter_frames`.
    """
    bad: list[MlsemiError] = []
    try:
        for frame in iter_frames(file, charge, multiplicity, bad=bad, name_field=name_field):
            yield from (Failure(file, None, "", error) for error in bad)
            bad.clear()
            yield frame
    except InputError as error:
        bad.append(error)
    yield from (Failure(file, None, "", error) for error in bad)


def _items(
    sources: str | os.PathLike[str] | Iterable[Source],
    charge: int | None,
    multiplicity: int | None,
) -> Iterator[Frame | Failure]:
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    if isinstance(sources, Atoms | Structure) or not isinstance(sources, Iterable):
        raise InputError("give a path, or a list of paths, ase.Atoms and Structures")
    for index, source in enumerate(sources):
        if isinstance(source, str | os.PathLike):
            yield from frames_of(os.fspath(source), charge, multiplicity)
            continue
        label = source.info.get("name", "") if isinstance(source, Atoms) else ""
        name = " ".join(str(label).split())
        try:
            with located(f"structure {index}"):
                structure, notes = as_structure(source, charge, multiplicity)
        except MlsemiError as error:
            yield Failure("", index, name, error)
        else:
            yield Frame(structure, "", index, notes, name)
