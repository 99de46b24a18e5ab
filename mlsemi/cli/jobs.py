"""The work behind the commands: files -> checked frames -> results -> records and files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mlsemi.cli import terminal
from mlsemi.draw.spectrum import Spectrum
from mlsemi.errors import InputError, MlsemiError, OutputError
from mlsemi.evaluate import singlepoint, surroundings_of
from mlsemi.excited.method import Method
from mlsemi.model.domain import check_closed, check_energy
from mlsemi.molecule.formats import Frame, collected, iter_frames, located
from mlsemi.outputs import check_writable, complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.response.solvents import solvent_of
from mlsemi.result import Result
from mlsemi.units import EV_NM, FORCE_EV_ANGSTROM, HARTREE_EV


@dataclass
class Batch:
    """Frames to compute, and the errors of those that cannot be.

    Attributes
    ----------
    frames : list of Frame
    errors : list of MlsemiError
        Of frames that were left out, in the order they were found.
    skip : bool
        Leave out what cannot be computed instead of stopping.
    """

    frames: list[Frame]
    errors: list[MlsemiError]
    skip: bool

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """The work on one frame; its failure ends the batch or, with ``skip``, only the block."""
        try:
            yield
        except OutputError:
            raise
        except MlsemiError as error:
            if not self.skip:
                raise
            self.errors.append(error)
            if len(self.errors) == self.n_frame:
                self.finish()

    def __post_init__(self) -> None:
        self.n_frame = len(self.frames) + len(self.errors)

    def check(self, forces: bool = False, states: bool = False) -> None:
        """Leave out, before any work begins, frames that have no forces or no excited states.

        Parameters
        ----------
        forces, states : bool
            Whether they are asked for.

        Raises
        ------
        InputError
            Naming the frames, unless they are to be skipped.
        """
        before = len(self.errors)
        for frame in list(self.frames):
            with collected(self.errors), located(frame.label):
                if forces:
                    check_energy(frame.structure, "forces")
                if states:
                    check_closed(frame.structure)
                continue
            self.frames.remove(frame)
        if len(self.errors) > before and not (self.skip and self.frames):
            self.finish()

    def finish(self) -> None:
        """Name every frame that was left out.

        Raises
        ------
        InputError
            Saying how many, if there are any.
        """
        if not self.errors:
            return
        number = len(self.errors)
        if number == self.n_frame:
            end = "nothing is left to compute"
        elif self.skip:
            end = "left out, all others computed"
        else:
            end = "--skip-errors computes the others"
        if number == 1:
            only = self.errors[0]
            raise only if self.n_frame == 1 else type(only)(f"{only} ({end})")
        for error in self.errors:
            terminal.complain(str(error))
        raise InputError(f"{number} of {self.n_frame} structures cannot be used: {end}")


def read(
    files: Sequence[str],
    charge: int | None,
    parameters: str,
    multiplicity: int | None = None,
    skip_errors: bool = False,
) -> Batch:
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
    skip_errors : bool
        Leave out what cannot be used, as long as something can.

    Raises
    ------
    InputError, ParameterError
        Naming file, frame and atom; all other frames that cannot be used have been named before.
    """
    if list(files).count("-") > 1:
        raise InputError("standard input (-) can be read only once")
    loaded = Parameters.load(parameters)
    frames: list[Frame] = []
    errors: list[MlsemiError] = []
    for file in files:
        try:
            for frame in iter_frames(file, charge, multiplicity, bad=errors):
                with collected(errors), located(frame.label):
                    loaded.check(frame.structure)
                    frames.append(frame)
        except InputError as error:
            errors.append(error)
    batch = Batch(frames, [loaded.explained(error) for error in errors], skip_errors)
    if errors and not (skip_errors and frames):
        batch.finish()
    return batch


def calculate(frame: Frame, parameters: str, threads: int, **requests: Any) -> Result:
    """Single point of one frame; errors name the frame.

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


def check_same_molecule(frames: Sequence[Frame]) -> None:
    """Refuse to average over different molecules, or charges of one.

    Raises
    ------
    InputError
        If the frames hold some.
    """
    first = frames[0].structure
    for frame in frames:
        found = frame.structure
        if found.symbols != first.symbols:
            what = "are different molecules"
        elif found.charge != first.charge:
            what = f"have charges {first.charge} and {found.charge}"
        else:
            continue
        raise InputError(
            f"{frame.file}: frames {frames[0].index} and {frame.index} {what}: a spectrum is the "
            "average over frames of one; give the others files of their own, or neither --plot "
            "nor --csv"
        )


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


def plot_spectrum(
    curves: Spectrum,
    path: Path,
    axis: Literal["ev", "nm"],
    cd: bool,
    title: str,
    whole: bool = False,
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
    whole : bool
        Show all of the curve, even where nothing is.
    """
    from mlsemi.draw.pictures import spectrum_picture
    from mlsemi.draw.plots import save

    save(spectrum_picture(curves, axis, cd, title, whole), path)


def explain_end(curves: Spectrum) -> None:
    """Say on standard error why the curves of a spectrum end where they do."""
    if curves.energies_ev[-1] <= curves.complete_ev:
        return
    if curves.has_complete_part:
        terminal.note(
            f"the curve ends at {curves.complete_ev:.2f} eV, a width below the highest energy "
            "asked for: states above were not computed"
        )
    else:
        terminal.note(
            "the curve is that of the computed states alone: others, which were not computed, "
            "overlap with them"
        )


def write_csv(curves: Spectrum, path: Path, cd: bool) -> None:
    """Write the curves of a spectrum, one row per energy, as far as they are complete."""
    header, rows = curves.complete_part().table(cd)
    with complete_or_absent(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows([f"{value:.6g}" for value in row] for row in rows)
