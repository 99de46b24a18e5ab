"""Relaxation: to a minimum of a surface, all of it or with coordinates held. ASE underneath.

This is a door: eV and angstrom.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixInternals
from ase.optimize import BFGS, LBFGS
from ase.optimize.optimize import Optimizer

from mlsemi.brief import Brief
from mlsemi.calculator import MLSemi
from mlsemi.errors import ConvergenceError, DomainWarning, InputError
from mlsemi.model.applicability import check_energy
from mlsemi.molecule.structure import Structure
from mlsemi.response.solvents import Solvent
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM

FMAX = 0.01
"""Largest force at the end, eV/angstrom: bond lengths are then within 0.001 angstrom."""
STEPS = 500
DENSE = 100
"""Atoms up to which BFGS with the full Hessian is taken; its eigenvectors cost n^3."""
LONGEST_STEP = 0.2

Coordinate = tuple[int, ...]
"""Two atoms: their distance; three: the angle at the second; four: the dihedral angle."""


KINDS = ("bonds", "angles_deg", "dihedrals_deg")
"""What ASE calls them."""


@dataclass(frozen=True, eq=False, repr=False)
class Relaxation(Brief):
    """Where a relaxation ended.

    Attributes
    ----------
    atoms : ase.Atoms
        Relaxed, with their calculator.
    converged : bool
    steps : int
    energies_ev : (n_step + 1,) array
        Of the start and of every step.
    fmax_ev_per_angstrom : float
        Largest force at the end, along what is free.
    moved_angstrom : float
        Root mean square displacement, overall translation and rotation taken out.
    """

    atoms: Atoms
    converged: bool
    steps: int
    energies_ev: np.ndarray
    fmax_ev_per_angstrom: float
    moved_angstrom: float


@dataclass(frozen=True)
class Constraints:
    """What is held during a relaxation.

    Attributes
    ----------
    fixed : tuple of int
        Atoms that do not move.
    kept : tuple of tuples of int
        Distances, angles and dihedral angles that stay what they are.
    """

    fixed: tuple[int, ...] = ()
    kept: tuple[Coordinate, ...] = ()

    def attach(self, atoms: Atoms) -> None:
        """Give the constraints to Atoms, at the values they have.

        Parameters
        ----------
        atoms : ase.Atoms

        Raises
        ------
        InputError
            For an atom that does not exist, named twice, or three atoms in a line.
        """
        for coordinate in self.kept:
            check_coordinate(coordinate, len(atoms))
        for atom in self.fixed:
            if not 0 <= atom < len(atoms):
                raise InputError(f"atom {atom} does not exist: there are {len(atoms)}")
        held: list[FixAtoms | FixInternals] = [FixAtoms(list(self.fixed))] if self.fixed else []
        if self.kept:
            named: dict[str, list[list[object]]] = {kind: [] for kind in KINDS}
            for coordinate in self.kept:
                kind = KINDS[len(coordinate) - 2]
                named[kind].append([value_of(atoms, coordinate), list(coordinate)])
            held.append(FixInternals(**{k: v for k, v in named.items() if v}, epsilon=1e-6))
        atoms.set_constraint(held)


FREE = Constraints()


def check_coordinate(coordinate: Coordinate, n_atom: int) -> None:
    """Refuse what is no distance, angle or dihedral of a molecule.

    Raises
    ------
    InputError
        Saying what is wrong.
    """
    text = "-".join(map(str, coordinate))
    if not 2 <= len(coordinate) <= 4:
        raise InputError(f"{text}: give two atoms (distance), three (angle) or four (dihedral)")
    if len(set(coordinate)) < len(coordinate):
        raise InputError(f"{text}: an atom is named twice")
    for atom in coordinate:
        if not 0 <= atom < n_atom:
            raise InputError(f"{text}: atom {atom} does not exist: there are {n_atom}")


def value_of(atoms: Atoms, coordinate: Coordinate) -> float:
    """Distance (angstrom), angle or dihedral angle (degrees)."""
    measure = (atoms.get_distance, atoms.get_angle, atoms.get_dihedral)[len(coordinate) - 2]
    return float(measure(*coordinate))


def relax(
    atoms: Atoms,
    calculator: MLSemi | None = None,
    *,
    fmax: float = FMAX,
    steps: int = STEPS,
    constraints: Constraints = FREE,
    tell: Callable[[int, float, float], None] | None = None,
    keep: Callable[[Atoms], None] | None = None,
) -> Relaxation:
    """Relax a structure.

    Parameters
    ----------
    atoms : ase.Atoms
        Left as they are.
    calculator : MLSemi, optional
        Its settings choose the surface: charge, multiplicity, excited state, solvent; by default
        the ground state.
    fmax : float
        Largest force at the end, eV/angstrom.
    steps : int
        At most.
    constraints : Constraints
        What is held.
    tell : function of step, energy (eV) and largest force (eV/angstrom), optional
        Called at every step.
    keep : function of Atoms, optional
        Called with every geometry on the way.

    Raises
    ------
    InputError
        For constraints that make no sense, or a surface without forces.
    ConvergenceError
        If the constraints cannot be held.
    """
    atoms = atoms.copy()
    start = atoms.get_positions()
    constraints.attach(atoms)
    atoms.calc = MLSemi() if calculator is None else calculator
    kind: type[Optimizer] = BFGS if len(atoms) <= DENSE else LBFGS
    optimizer = kind(atoms, logfile=None, maxstep=LONGEST_STEP)
    energies: list[float] = []

    def watch() -> None:
        energies.append(float(atoms.get_potential_energy()))
        if tell is not None:
            tell(len(energies) - 1, energies[-1], largest_force(atoms))
        if keep is not None:
            keep(atoms)

    optimizer.attach(watch)
    try:
        converged = bool(optimizer.run(fmax=fmax, steps=steps))
    except ValueError as error:  # FixInternals gives up
        raise ConvergenceError(f"the constraints cannot be held ({error})") from None
    return Relaxation(
        atoms=atoms,
        converged=converged,
        steps=int(optimizer.nsteps),
        energies_ev=np.array(energies),
        fmax_ev_per_angstrom=largest_force(atoms),
        moved_angstrom=displacement(start, atoms.get_positions()),
    )


def relaxed_structure(
    structure: Structure,
    parameters: str | os.PathLike[str],
    *,
    solvent: str | float | Solvent | None = None,
    field: np.ndarray | None = None,
) -> tuple[Structure, tuple[str, ...]]:
    """Minimum of the ground state near a structure, and a warning if none was reached.

    Parameters
    ----------
    structure : Structure
    parameters : str or path
    solvent : str, float or Solvent, optional
    field : (3,) array, optional
        Atomic units.

    Raises
    ------
    InputError
        If there are no forces.
    """
    calculator = MLSemi(
        parameters,
        charge=structure.charge,
        multiplicity=structure.multiplicity,
        solvent=solvent,
        field=None if field is None else np.asarray(field) * FORCE_EV_ANGSTROM,
    )
    check_energy(structure, "relaxation", calculator.parameter_set.ions_learned)
    with warnings.catch_warnings():  # what follows says it again
        warnings.simplefilter("ignore", DomainWarning)
        found = relax(structure.to_ase(), calculator)
    positions = found.atoms.get_positions() / BOHR_ANGSTROM
    notes = () if found.converged else (unfinished_text(found),)
    return replace(structure, positions=positions), notes


def unfinished_text(found: Relaxation) -> str:
    """What to know about a relaxation that has not converged."""
    return (
        f"not relaxed after {found.steps} steps: the largest force is still "
        f"{found.fmax_ev_per_angstrom:.3f} eV/angstrom"
    )


def largest_force(atoms: Atoms) -> float:
    """Of the free coordinates, eV/angstrom."""
    return float(np.linalg.norm(atoms.get_forces(), axis=1).max())


def displacement(before: np.ndarray, after: np.ndarray) -> float:
    """Root mean square distance of the atoms after the best superposition (Kabsch).

    Parameters
    ----------
    before, after : (n_atom, 3) arrays
    """
    x, y = before - before.mean(axis=0), after - after.mean(axis=0)
    u, singular, vt = np.linalg.svd(x.T @ y)
    singular[-1] *= np.sign(np.linalg.det(u @ vt))
    square = np.sum(x**2) + np.sum(y**2) - 2.0 * singular.sum()
    return float(np.sqrt(max(0.0, square) / len(x)))


def coordinates_from(texts: Sequence[str]) -> tuple[Coordinate, ...]:
    """Coordinates given as ``0-1`` or ``4-2-1-0``.

    Raises
    ------
    InputError
        If a text is not of this form.
    """
    found = []
    for text in texts:
        words = text.split("-")
        if not all(word.isdigit() for word in words) or not 2 <= len(words) <= 4:
            raise InputError(
                f"{text!r}: give atoms counted from 0, two for a distance, three for an angle, "
                "four for a dihedral, as 0-1-2-3"
            )
        found.append(tuple(map(int, words)))
    return tuple(found)
