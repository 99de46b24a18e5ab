"""The work behind the commands: files -> checked frames -> results -> records and files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import typer

from mlsemi.cli.work import terminal
from mlsemi.cli.work.batches import Batch
from mlsemi.cli.work.resume import Done, csv_line
from mlsemi.draw.spectrum import Spectrum
from mlsemi.draw.summary import COLUMNS
from mlsemi.errors import InputError
from mlsemi.evaluate import molecular, surroundings_of
from mlsemi.excited.method import Method
from mlsemi.molecule.formats import Frame, located
from mlsemi.molecule.smiles import PREFIX as SMILES
from mlsemi.outputs import check_writable, complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.periodic.bands import Bands
from mlsemi.response.solvents import solvent_of
from mlsemi.result import Result
from mlsemi.units import EV_NM, FORCE_EV_ANGSTROM, HARTREE_EV


def sources_from(files: Sequence[str] | None, smiles: Sequence[str] | None) -> list[str]:
    """Files of a command line, then its SMILES in the form of a file.

    Raises
    ------
    typer.BadParameter
        If there is neither.
    """
    found = [*(files or ()), *(SMILES + text for text in smiles or ())]
    if not found:
        raise typer.BadParameter("give a structure: FILE, smiles:CCO, example:caffeine, or -")
    return found


def parameters_from(name: str) -> str:
    """Name of a released set, or the full path of another: workers may have another folder."""
    return str(Path(name).absolute()) if Path(name).is_dir() else name


def checksum_of(parameters: str) -> str:
    """Checksum of a parameter set."""
    return Parameters.load(parameters).checksum


def single(
    file: str, charge: int | None, parameters: str, multiplicity: int | None, command: str
) -> Frame:
    """The only structure of a file, checked.

    Parameters
    ----------
    file : str
    charge : int or None
        None takes it from the file.
    parameters : str
        Name or path of the parameter set.
    multiplicity : int or None
        None takes it from the file.
    command : str
        That takes no more than one.

    Raises
    ------
    InputError
        If there are more, or it cannot be used.
    """
    return only_one(Batch([file], charge, parameters, multiplicity).frames, file, command)


def only_one(frames: Sequence[Frame], file: str, command: str) -> Frame:
    """The single structure among the frames of a file.

    Raises
    ------
    InputError
        If there are more.
    """
    if len(frames) > 1:
        raise InputError(f"{file}: {command} takes a single structure, there are {len(frames)}")
    return frames[0]


def calculate(frame: Frame, parameters: str, threads: int, **requests: Any) -> Result:
    """Single point of one frame, a molecule; errors name the frame.

    Parameters
    ----------
    frame : Frame
    parameters : str
        Name or path of the parameter set.
    threads : int
    **requests
        ``singlets``, ``forces``, ``solvent``, ... of :func:`mlsemi.singlepoint`.
    """
    with located(frame.label):
        return molecular(frame.structure, parameters=parameters, threads=threads, **requests)


def record_of(
    frame: Frame,
    result: Result | Bands,
    quiet: bool,
    fragments: Sequence[Sequence[int]] | None = None,
) -> dict[str, Any]:
    """JSON record with its source; its warnings go to standard error unless ``quiet``."""
    with located(frame.label):
        if isinstance(result, Result):
            record = result.to_dict(fragments=fragments)
        else:
            record = result.to_dict()
    record["source"] = {"file": frame.file, "frame": frame.index}
    if frame.name:
        record["name"] = frame.name
    record["warnings"] = [*frame.warnings, *record.get("warnings", [])]
    if not quiet:
        for text in record["warnings"]:
            terminal.warn(f"{frame.label}: {text}")
    return record


MOST_ATOMS = 1_000_000
"""Atom numbers beyond are refused before there is a structure to look at."""


def fragments_from(texts: Sequence[str] | None) -> list[list[int]] | None:
    """Atoms of fragments given as ``0-11,14``.

    Raises
    ------
    InputError
        If a text is not of this form.
    """
    if not texts:
        return None
    out = []
    for text in texts:
        atoms: list[int] = []
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            last = last if dash else first
            if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
                raise InputError(f"--fragment {text!r}: give atoms like 0-11,14")
            if int(last) >= MOST_ATOMS:
                raise InputError(f"--fragment {text!r}: atom {last} does not exist")
            atoms.extend(range(int(first), int(last) + 1))
        out.append(atoms)
    return out


def method_from(full: bool, select_ev: float | None, exact: bool = False) -> Method:
    """How excited states are computed, from the options of the commands."""
    return Method(full, None if select_ev is None else select_ev / HARTREE_EV, exact)


def surroundings_from(
    solvent: str | None, epsilon: float | None, field: str | None = None
) -> dict[str, Any]:
    """Arguments of a single point for what surrounds it, from the options of the commands.

    Parameters
    ----------
    solvent : str or None
        Name.
    epsilon : float or None
        Or the dielectric constant.
    field : str or None
        ``X,Y,Z`` in V/angstrom.

    Raises
    ------
    InputError
        If they make no sense, or a solvent is given twice.
    """
    if solvent is not None and epsilon is not None:
        raise InputError("give --solvent or --epsilon, not both")
    chosen = solvent if epsilon is None else epsilon
    out: dict[str, Any] = {"solvent": None if chosen is None else solvent_of(chosen)}
    if field is not None:
        try:
            components = [float(word) for word in field.split(",")]
        except ValueError:
            components = []
        if len(components) != 3:
            raise InputError(f"--field {field!r}: give X,Y,Z in V/angstrom, as 0,0,0.1")
        out["field"] = np.array(components) / FORCE_EV_ANGSTROM
    surroundings_of(out["solvent"], out.get("field"), None)
    return out


@contextmanager
def outputs(
    json_output: str | None, summary: Path | None, quiet: bool, done: Done | None
) -> Iterator[tuple[Callable[[str], None], Callable[[dict[str, Any]], None]]]:
    """Functions that write a line of JSON and a row of the summary, where they are wanted.

    Parameters
    ----------
    json_output : str or None
    summary : Path or None
    quiet : bool
        Do not say what was written.
    done : Done or None
        What an earlier run has finished.
    """
    left, rows = (done.lines(), done.rows()) if done is not None else ((), ())
    header = csv_line(COLUMNS)
    target = None if summary is None else str(summary)
    with (
        terminal.lines_sink(json_output, quiet, left) as emit,
        terminal.lines_sink(target, quiet, rows, header) as tabulate,
    ):
        yield emit, lambda row: tabulate(csv_line([row.get(name, "") for name in COLUMNS]))


def reserve(*paths: Path | None) -> None:
    """Find out before the work whether the outputs can be written."""
    for path in paths:
        if path is not None:
            check_writable(path)


def range_from(text: str, axis: Literal["ev", "nm"]) -> tuple[float, float]:
    """Lowest and highest energy (eV) of a range given as ``250-700``, in the unit of the axis.

    Raises
    ------
    InputError
        If the text is not of this form.
    """
    first, dash, last = text.partition("-")
    try:
        ends = sorted((float(first), float(last)))
    except ValueError:
        ends = [0.0, 0.0]
    if not dash or not 0.0 < ends[0] < ends[1] < 1e5:
        raise InputError(f"--range {text!r}: give A-B in {axis}, as 250-700 (nm) or 2-6 (eV)")
    if axis == "nm":
        ends = [EV_NM / ends[1], EV_NM / ends[0]]
    return ends[0], ends[1]


def explain_end(spectra: Mapping[str, Spectrum]) -> None:
    """Say on standard error why the curves of spectra end where they do."""
    curves = min(spectra.values(), key=lambda one: one.complete_ev)
    if curves.energies_ev[-1] <= curves.complete_ev:
        return
    if len(spectra) > 1:
        terminal.note(
            "curves end a width below the highest energy up to which the states of the molecule "
            "were computed"
        )
    elif curves.has_complete_part:
        terminal.note(
            f"the curve ends at {curves.complete_ev:.2f} eV, a width below the highest energy "
            "asked for: states above were not computed"
        )
    else:
        terminal.note(
            "the curve is that of the computed states alone: others, which were not computed, "
            "overlap with them"
        )


def write_csv(curves: Mapping[str, Spectrum], path: Path, cd: bool) -> None:
    """Write the curves of spectra, one row per energy, as far as they are complete.

    Parameters
    ----------
    curves : mapping of str to Spectrum
        On one grid; several have a column each, named after them.
    path : Path
    cd : bool
        With circular dichroism.
    """
    if len(curves) == 1:
        header, rows = next(iter(curves.values())).complete_part().table(cd)
    else:
        grid = next(iter(curves.values())).energies_ev
        header, columns = ["energy_ev", "wavelength_nm"], [grid, EV_NM / grid]
        for name, one in curves.items():
            values = one.delta_extinction if cd else one.extinction
            known = (grid <= one.complete_ev) | (not one.has_complete_part)
            header.append(name)
            columns.append(np.where(known, values, np.nan))
        rows = np.stack(columns, axis=1).tolist()
    with complete_or_absent(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(["" if np.isnan(v) else f"{v:.6g}" for v in row] for row in rows)
