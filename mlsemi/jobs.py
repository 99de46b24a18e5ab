"""The work behind the commands: files -> checked frames -> results -> records and files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mlsemi import terminal
from mlsemi.domain import check_closed, check_energy
from mlsemi.ensemble import average_spectrum
from mlsemi.errors import InputError
from mlsemi.formats import Frame, iter_frames, located
from mlsemi.outputs import check_writable, complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.response.solvents import solvent_of
from mlsemi.response_method import Method
from mlsemi.result import Result
from mlsemi.singlepoint import singlepoint, surroundings_of
from mlsemi.spectrum import Shape, Spectrum
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV


def read(
    files: Sequence[str], charge: int | None, parameters: str, multiplicity: int | None = None
) -> list[Frame]:
    """Every frame of every file, checked against the parameter set before any work begins.

    Parameters
    ----------
    files : sequence of str
        Paths; ``-`` is standard input, once.
    charge : int or None
        Total charge; None takes it from the file.
    parameters : str
        Name or path of the parameter set.
    multiplicity : int or None
        None takes it from the file.

    Raises
    ------
    InputError, ParameterError
        Naming file, frame and atom.
    """
    if list(files).count("-") > 1:
        raise InputError("standard input (-) can be read only once")
    loaded = Parameters.load(parameters)
    with loaded.naming_elements():
        frames = [frame for file in files for frame in iter_frames(file, charge, multiplicity)]
    for frame in frames:
        with located(frame.label):
            loaded.check(frame.structure)
    return frames


def check(frames: Sequence[Frame], forces: bool = False, states: bool = False) -> None:
    """Refuse, before any work begins, what there is not of some frame.

    Parameters
    ----------
    frames : sequence of Frame
    forces, states : bool
        Whether forces and excited states are asked for.

    Raises
    ------
    InputError
        Naming the frame.
    """
    for frame in frames:
        with located(frame.label):
            if forces:
                check_energy(frame.structure, "forces")
            if states:
                check_closed(frame.structure)


def calculate(frame: Frame, parameters: str, threads: int, **requests: Any) -> Result:
    """Single point of one frame; errors name the frame.

    Parameters
    ----------
    frame : Frame
    parameters : str
        Name or path of the parameter set.
    threads : int
    **requests
        ``singlets``, ``forces``, ``solvent``, ... of :func:`mlsemi.singlepoint.singlepoint`.
    """
    with located(frame.label):
        return singlepoint(frame.structure, parameters=parameters, threads=threads, **requests)


def record_of(
    frame: Frame,
    result: Result,
    quiet: bool,
    fragments: Sequence[Sequence[int]] | None = None,
) -> dict[str, Any]:
    """JSON record with its source; its warnings go to standard error unless ``quiet``."""
    with located(frame.label):
        record = result.to_dict(fragments=fragments)
    record["source"] = {"file": frame.file, "frame": frame.index}
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


def method_from(full: bool, select_ev: float | None) -> Method:
    """How excited states are computed, from the options of the commands."""
    return Method(full, None if select_ev is None else select_ev / HARTREE_EV)


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


def reserve(*paths: Path | None) -> None:
    """Find out before the work whether the outputs can be written."""
    for path in paths:
        if path is not None:
            check_writable(path)


def spectrum_of(
    results: Sequence[Result], width_ev: float, shape: Shape, lorentz_ev: float | None = None
) -> Spectrum:
    """Spectrum of one result, or the average over several frames of one molecule.

    Raises
    ------
    InputError
        If there is no state to draw.
    """
    states = [result.singlets for result in results if result.singlets is not None]
    return average_spectrum(states, width_ev, shape, lorentz_ev)


def check_same_molecule(frames: Sequence[Frame]) -> None:
    """Refuse to average over different molecules.

    Raises
    ------
    InputError
        If the frames hold some.
    """
    symbols = [frame.structure.symbols for frame in frames]
    other = next((k for k, found in enumerate(symbols) if found != symbols[0]), None)
    if other is not None:
        raise InputError(
            f"{frames[0].file}: frames 0 and {other} are different molecules: a spectrum is the "
            "average over frames of one; give the others files of their own, or neither --plot "
            "nor --csv"
        )


def plot_spectrum(
    curves: Spectrum, path: Path, axis: Literal["ev", "nm"], cd: bool, title: str
) -> None:
    """Save the figure of a spectrum.

    Parameters
    ----------
    curves : Spectrum
    path : Path
    axis : "ev" or "nm"
        Unit of the lower axis.
    cd : bool
        Circular dichroism instead of absorption.
    title : str
    """
    from mlsemi.plots import save, spectrum_figure

    values = curves.delta_extinction if cd else curves.extinction
    # far tails would fill a wavelength axis with nothing
    large = np.abs(values) > 2e-3 * np.abs(values).max()
    near = np.searchsorted(curves.energies_ev, curves.stick_energies_ev.min())
    first = min(int(large.argmax()), int(near)) if large.any() else 0
    shown = slice(first, None)
    figure = spectrum_figure(
        curves.energies_ev[shown],
        values[shown],
        curves.stick_energies_ev,
        curves.rotatory_strengths_1e40_cgs if cd else curves.oscillator_strengths,
        axis=axis,
        cd=cd,
        title=title,
    )
    save(figure, path)


def write_csv(curves: Spectrum, path: Path, cd: bool) -> None:
    """Write the curves of a spectrum, one row per energy."""
    header, rows = curves.table(cd)
    with complete_or_absent(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows([f"{value:.6g}" for value in row] for row in rows)
