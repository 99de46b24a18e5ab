"""Scans: the energy along a distance, an angle or a dihedral angle, the rest relaxed or rigid.

This is a door: eV, angstrom and degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from mlsemi.brief import Brief
from mlsemi.calculator import MLSemi
from mlsemi.errors import ConvergenceError, InputError
from mlsemi.molecule.elements import covalent_radius
from mlsemi.nuclei.relaxation import FREE, STEPS, Constraints, Coordinate, check_coordinate, relax
from mlsemi.periodic.result import refuse_in_cells
from mlsemi.units import BOHR_ANGSTROM

FMAX = 0.02
BONDED = 1.3
"""Atoms nearer than this many sums of covalent radii are bonded."""


@dataclass(frozen=True, eq=False, repr=False)
class Scan(Brief):
    """Energies along a coordinate.

    Attributes
    ----------
    coordinate : tuple of int
    values : (n_point,) array
        Angstrom or degrees.
    energies_ev : (n_point,) array
    frames : list of ase.Atoms
    converged : (n_point,) bool array
        All true without relaxation.
    """

    coordinate: Coordinate
    values: np.ndarray
    energies_ev: np.ndarray
    frames: list[Atoms]
    converged: np.ndarray


def scan(
    atoms: Atoms,
    coordinate: Coordinate,
    values: Sequence[float] | np.ndarray,
    calculator: MLSemi | None = None,
    *,
    rigid: bool = False,
    fmax: float = FMAX,
    steps: int = STEPS,
    constraints: Constraints = FREE,
    tell: Callable[[int, float, float], None] | None = None,
) -> Scan:
    """Energy along one coordinate; each point starts from the one before.

    Parameters
    ----------
    atoms : ase.Atoms
        Left as they are.
    coordinate : tuple of int
        Two atoms (a distance), three (an angle) or four (a dihedral angle). What hangs on the last
        of them moves with it.
    values : (n_point,) sequence
        Angstrom or degrees.
    calculator : MLSemi, optional
        Its settings choose the surface; by default the ground state.
    rigid : bool
        Leave all else as it is.
    fmax, steps, constraints
        Of the relaxation at each point.
    tell : function of the number of the point, its value and its energy (eV), optional

    Raises
    ------
    InputError
        For a coordinate within a ring, or one that does not exist.
    ConvergenceError
        If the coordinate cannot be held.
    """
    check_coordinate(coordinate, len(atoms))
    refuse_in_cells({"a scan": bool(atoms.pbc.any())})
    calculator = MLSemi() if calculator is None else calculator
    moving = hanging_on(atoms, coordinate)
    at = atoms.copy()
    energies, frames, converged = [], [], []
    for number, value in enumerate(values):
        calculator.forget()
        set_value(at, coordinate, float(value), moving)
        if not rigid:
            held = replace(constraints, kept=(*constraints.kept, coordinate))
            try:
                found = relax(at, calculator, fmax=fmax, steps=steps, constraints=held)
            except ConvergenceError as error:
                raise ConvergenceError(f"point {number} ({value:g}): {error}") from None
            at, reached = found.atoms, found.converged
        else:
            at.calc, reached = calculator, True
        energies.append(float(at.get_potential_energy()))
        frame = Atoms(at.numbers, at.get_positions(), info=dict(atoms.info))
        frames.append(frame)
        converged.append(reached)
        at = frame.copy()
        if tell is not None:
            tell(number, float(value), energies[-1])
    return Scan(coordinate, np.array(values), np.array(energies), frames, np.array(converged))


def set_value(atoms: Atoms, coordinate: Coordinate, value: float, moving: list[int]) -> None:
    """Move a part of a molecule until a coordinate has a value.

    Parameters
    ----------
    atoms : ase.Atoms
    coordinate : tuple of int
    value : float
        Angstrom or degrees.
    moving : list of int
        Atoms that move, the last of the coordinate among them.
    """
    if len(coordinate) == 2:
        i, j = coordinate
        bond = atoms.positions[j] - atoms.positions[i]
        atoms.positions[moving] += bond * (value / float(np.linalg.norm(bond)) - 1.0)
    elif len(coordinate) == 3:
        i, j, k = coordinate
        atoms.set_angle(i, j, k, value, indices=moving)
    else:
        i, j, k, m = coordinate
        atoms.set_dihedral(i, j, k, m, value, indices=moving)


def hanging_on(atoms: Atoms, coordinate: Coordinate) -> list[int]:
    """Atoms that move with the last of a coordinate: its side of the bond that is cut.

    The bond is that between the last two atoms, of a dihedral between the middle two.

    Raises
    ------
    InputError
        If the bond is part of a ring.
    """
    radius = covalent_radius(atoms.numbers) * BOHR_ANGSTROM
    distances = atoms.get_all_distances() / np.add.outer(radius, radius)
    bonded = (distances < BONDED) & ~np.eye(len(atoms), dtype=bool)
    stays, moves = coordinate[1:3] if len(coordinate) == 4 else coordinate[-2:]
    bonded[stays, moves] = bonded[moves, stays] = False
    reached, new = {moves}, [moves]
    while new:
        found = set(np.flatnonzero(bonded[new].any(axis=0)).tolist()) - reached
        reached |= found
        new = sorted(found)
    if stays in reached:
        text = "-".join(map(str, coordinate))
        raise InputError(
            f"{text}: atoms {stays} and {moves} are part of one ring, which a scan would break"
        )
    return sorted(reached)
