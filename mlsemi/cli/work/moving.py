"""What the commands that move nuclei share: surfaces, output of structures, what is said."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from mlsemi import __version__
from mlsemi.calculator import MLSemi
from mlsemi.cli.work import jobs, terminal
from mlsemi.cli.work.resume import complete_lines, left_by
from mlsemi.draw.profiles import KCAL_EV
from mlsemi.errors import ConvergenceError, DomainWarning, InputError, StateWarning, located
from mlsemi.model.applicability import check_closed, check_energy
from mlsemi.molecule.elements import formula
from mlsemi.molecule.formats import Frame
from mlsemi.molecule.xyz import read_xyz, split_xyz
from mlsemi.nuclei.conformers import Conformers
from mlsemi.nuclei.relaxation import Constraints, coordinates_from
from mlsemi.nuclei.scan import Scan
from mlsemi.nuclei.vibrations import Vibrations
from mlsemi.outputs import complete_or_absent, stem_of
from mlsemi.parameters import Parameters
from mlsemi.periodic.result import cell_record
from mlsemi.response.solvents import Solvent


def surface_of(
    frame: Frame,
    parameters: str,
    state: int,
    solvent: str | None,
    epsilon: float | None,
    threads: int,
) -> MLSemi:
    """Calculator of the surface asked for, charge and multiplicity those of the frame.

    Raises
    ------
    InputError
        If the structure has none.
    """
    around: Solvent | None = jobs.surroundings_from(solvent, epsilon)["solvent"]
    with located(frame.label):
        if state:
            check_closed(frame.structure)
        else:
            check_energy(frame.structure, "forces", Parameters.load(parameters).ions_learned)
        return MLSemi(
            parameters,
            state=state,
            charge=frame.structure.charge,
            multiplicity=frame.structure.multiplicity,
            solvent=around,
            threads=threads,
        )


def surface_name(frame: Frame, state: int) -> str:
    """``S0``, ``S1``, ``T1``, ``D0``, ``multiplicity 4``."""
    spin = frame.structure.multiplicity
    names = {1: f"S{state}", 2: "D0", 3: "T1"}
    return names.get(spin, f"multiplicity {spin}")


def constraints_from(fix: str | None, keep: Sequence[str] | None) -> Constraints:
    """Constraints from ``--fix 0-3,7`` and ``--keep 0-1-2``."""
    fixed = jobs.fragments_from([fix]) if fix else None
    return Constraints(tuple(fixed[0]) if fixed else (), coordinates_from(keep or ()))


def heading(frame: Frame, calculator: MLSemi) -> str:
    """Two lines about what was computed."""
    structure, chosen = frame.structure, calculator.parameter_set
    spin = f", multiplicity {structure.multiplicity}" if structure.multiplicity > 1 else ""
    solvent = calculator.parameters["solvent"]
    where = f", in {solvent.name}" if solvent is not None else ""
    name = f": {frame.name}" if frame.name and frame.name not in frame.file else ""
    return (
        f"{frame.label}{name}\n{formula(structure.symbols)}, {structure.n_atom} atoms, charge "
        f"{structure.charge}{spin}{where}; parameters {chosen.name} ({chosen.checksum[:8]})"
    )


def record_of(frame: Frame, calculator: MLSemi, atoms: Atoms) -> dict[str, Any]:
    """What the JSON of these commands begins with."""
    chosen = calculator.parameter_set
    record: dict[str, Any] = {
        "mlsemi_version": __version__,
        "parameters": {"name": chosen.name, "checksum": chosen.checksum},
        "structure": {
            "symbols": frame.structure.symbols,
            "positions_angstrom": atoms.get_positions().tolist(),
            "charge": frame.structure.charge,
            "multiplicity": frame.structure.multiplicity,
        },
        "state": int(calculator.parameters["state"]),
        "source": {"file": frame.file, "frame": frame.index},
    }
    cell = frame.structure.cell
    if cell is not None:
        record["structure"] |= cell_record(cell)
    return record | ({"name": frame.name} if frame.name else {})


def xyz_of(frame: Frame, atoms: Atoms, **more: float | int | str) -> str:
    """Text of one frame of an extended xyz file, with charge, multiplicity and other facts."""
    info: dict[str, Any] = {
        "charge": frame.structure.charge,
        "multiplicity": frame.structure.multiplicity,
        **more,
    }
    if frame.name:
        info["title"] = frame.name
    plain = Atoms(atoms.numbers, atoms.get_positions(), cell=atoms.cell, pbc=atoms.pbc, info=info)
    with StringIO() as stream:
        ase.io.write(stream, plain, format="extxyz")
        return stream.getvalue().rstrip("\n")


def write_text(path: Path, texts: Iterable[str]) -> None:
    """Write a file that appears complete or not at all."""
    with complete_or_absent(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        stream.writelines(texts)


def output_beside(output: Path | None, file: str, ending: str) -> Path:
    """Where the structures go: as asked, else named after the input, in the folder one is in."""
    if output is not None:
        return output
    plain = ":" not in file and file != "-"
    return Path(f"{stem_of(file) if plain else 'molecule'}-{ending}.xyz")


@contextmanager
def said_of(frame: Frame, quiet: bool) -> Iterator[None]:
    """Warnings of the reader and of the calculator, once each, on standard error."""
    seen: set[str] = set(frame.warnings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with located(frame.label):
            yield
    for one in caught:
        if issubclass(one.category, DomainWarning | StateWarning):
            seen.add(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if not quiet:
        for text in sorted(seen):
            terminal.warn(f"{frame.label}: {text}")


def begun(frame: Frame, path: Path | None) -> tuple[Atoms, list[str]]:
    """Where to start, and the steps that an earlier run has left in a file."""
    atoms = frame.structure.to_ase()
    found = None if path is None else left_by(path)
    if found is None:
        return atoms, []
    steps = list(split_xyz(complete_lines(found)))
    if steps and len(steps[-1].splitlines()) < len(steps[0].splitlines()):  # it was cut
        steps.pop()
    if not steps:
        return atoms, []
    with located(str(found)):
        last, _ = read_xyz(steps[-1])
        if not np.array_equal(last.numbers, atoms.numbers):
            raise InputError("--resume: the steps are those of another molecule")
    atoms.positions = last.positions
    return atoms, steps[:-1]


def finish(unfinished: Sequence[str]) -> None:
    """Say what has not relaxed, at the end, after everything is written.

    Raises
    ------
    ConvergenceError
        If there is something.
    """
    if len(unfinished) == 1:
        raise ConvergenceError(f"{unfinished[0]}; written as it is")
    for text in unfinished:
        terminal.complain(text)
    if unfinished:
        raise ConvergenceError(f"{len(unfinished)} structures not relaxed; written as they are")


def values_between(
    now: float, n_atom: int, start: float | None, stop: float | None, points: int | None
) -> np.ndarray:
    """Values of a scan; a dihedral angle turns once from where it is unless told otherwise.

    Raises
    ------
    InputError
        If the ends are missing or make no sense.
    """
    if n_atom < 4 and (start is None or stop is None):
        raise InputError("a scan of a distance or an angle needs --from and --to")
    first = (now + 180.0) % 360.0 - 180.0 if start is None else start
    last = first + 360.0 if stop is None else stop
    if first == last or not np.isfinite([first, last]).all():
        raise InputError("--from and --to of a scan must be two numbers")
    if (n_atom == 2 and min(first, last) <= 0.0) or (
        n_atom == 3 and not 0.0 < min(first, last) < max(first, last) < 180.0
    ):
        raise InputError("distances must be positive, angles between 0 and 180 degrees")
    turn = abs(last - first) >= 360.0
    return np.linspace(first, last, points or (25 if turn else 13))


def pairs(found: Scan) -> list[tuple[float, float]]:
    """Values and energies of a scan."""
    return list(zip(found.values.tolist(), found.energies_ev.tolist(), strict=True))


def scan_lines(found: Scan, unit: str) -> list[str]:
    """Table of a scan."""
    lowest = found.energies_ev.min()
    lines = [f"{unit:>10}  {'energy / eV':>14}  {'eV':>8}  {'kcal/mol':>9}"]
    for value, energy in pairs(found):
        above = energy - lowest
        lines.append(f"{value:10.3f}  {energy:14.5f}  {above:8.4f}  {above * KCAL_EV:9.2f}")
    return lines


def conformer_lines(found: Conformers, weights: np.ndarray, kelvin: float) -> list[str]:
    """Table of conformers.

    Parameters
    ----------
    found : Conformers
    weights : (n,) array
        Share of each minimum at the temperature.
    kelvin : float
    """
    lines = [
        f"{found.n_built} built, {len(found.frames)} different minima"
        + (f", {found.n_open} not relaxed and left out" if found.n_open else ""),
        f"{'':>4}  {'energy / eV':>14}  {'eV':>8}  {'kcal/mol':>9}  {f'share at {kelvin:g} K':>18}",
    ]
    above = found.energies_ev - found.energies_ev[0]
    for k, energy in enumerate(found.energies_ev):
        lines.append(
            f"{k:4d}  {energy:14.5f}  {above[k]:8.4f}  {above[k] * KCAL_EV:9.2f}  "
            f"{100 * weights[k]:16.1f} %"
        )
    return lines


def mode_lines(found: Vibrations, thermal: dict[str, float]) -> list[str]:
    """Table of modes, and the thermochemistry."""
    lines = [f"{'mode':>4}  {'1/cm':>9}  {'km/mol':>8}"]
    for k, (at, strength) in enumerate(zip(found.wavenumbers, found.intensities, strict=True)):
        shown = f"  {strength:8.1f}" if np.isfinite(strength) else ""
        lines.append(f"{k:4d}  {at:9.1f}{shown}")
    kelvin = thermal["temperature_k"]
    entropy = thermal["entropy_ev_per_kelvin"]
    return [
        *lines,
        "",
        f"energy {found.energy_ev:.5f} eV, zero-point energy {thermal['zero_point_ev']:.5f} eV",
        f"at {kelvin:g} K and {thermal['pressure_pa'] / 1e5:g} bar, symmetry number "
        f"{thermal['symmetry_number']:.0f}: enthalpy {thermal['enthalpy_ev']:.5f} eV, "
        f"entropy {entropy * 1e3:.4f} meV/K, free energy {thermal['gibbs_ev']:.5f} eV",
    ]


def title_of(frame: Frame) -> str:
    """Of a figure: the name of the record or of the file."""
    return frame.name or Path(frame.file).stem
