"""Bonds pulled apart: unrestricted energies and forces where restricted orbitals go wrong.

Between one and a half times its length and the separated fragments a bond has no closed shell. An
unrestricted calculation whose spins sit on different fragments goes to the right limit. SCFs of
such molecules have several solutions, so two starts are tried and the lower result is taken: closed
shells, and the solution for the bond when it was longer or, for the longest, the fragments of the
high-spin state with opposite spins. The surfaces have the form of those by several sets and are
learned alike (:mod:`mlsemi.training.objective.surface_loss`).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from ase import Atoms
from pyscf import dft, gto

from mlsemi.errors import ConvergenceError, MlsemiError
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.geometries import bond_orders, bridges, embed, relax, seed_of, with_bond
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.reference.calculation import (
    Level,
    atom_of_functions,
    density_fitted,
    large_basis,
)
from mlsemi.units import FORCE_EV_ANGSTROM

BONDS = 2
"""Pulled apart of every molecule, one at a time."""

LENGTHS = (1.3, 1.7, 2.2, 2.8)
"""One geometry between each two of these multiples of the length of the relaxed molecule."""

LARGEST_MOVE = 0.06
"""The standard deviation of the displacements of all atoms is drawn up to here, angstrom."""

LARGEST_FORCE = 20.0
"""Geometries with a larger component, of stiff bonds moved too far, are left out, eV / angstrom."""

COARSE_GRID, COARSE_CONVERGENCE = 0, 1e-4
"""PySCF grid level, and energy (hartree), to which the starts are brought before one is chosen."""

Pulled = tuple[Atoms, np.ndarray, int]
"""Geometry, the atoms on one side of the bond (mask), and the order of the bond."""


def breaking_surfaces(of: tuple[str, str], seed: int, level: Level) -> list[Surface]:
    """Geometries of one neutral molecule, a bond that is in no ring pulled apart in each.

    Whatever goes wrong with one molecule or one bond concerns that alone.

    Parameters
    ----------
    of : (SMILES, InChIKey)
    seed : int
    level : Level
        Functional, basis and grid.
    """
    smiles, molecule = of
    try:
        bonds = pulled_apart(smiles, seed)
    except (MlsemiError, RuntimeError):
        return []
    found: list[Surface] = []
    for lengths in bonds:
        density: np.ndarray | None = None
        try:
            for atoms, side, order in lengths:
                structure = Structure.from_ase(atoms)
                solver = lowest_unrestricted(structure, side, order, level, density)
                density = solver.make_rdm1()
                found.append(_surface(structure, solver, molecule))
        except (ConvergenceError, ArithmeticError, RuntimeError, np.linalg.LinAlgError):
            continue
    return [s for s in found if np.abs(s.forces).max() * FORCE_EV_ANGSTROM <= LARGEST_FORCE]


def pulled_apart(smiles: str, seed: int) -> list[list[Pulled]]:
    """For some bonds of a molecule, geometries with that bond longer and longer, longest first.

    Both sides keep their shape but for small random displacements.

    Raises
    ------
    InputError
        If the SMILES cannot be embedded or relaxed.
    ParameterError
        If mlsemi does not know an element.
    """
    own = seed_of(smiles, seed)
    rng = np.random.default_rng(own)
    atoms, charge = embed(smiles, own)
    if charge:
        return []
    Structure.from_ase(atoms)
    orders = bond_orders(smiles)
    still = relax(atoms, charge, bonds=orders > 0)
    open_bonds = bridges(orders > 0)
    some = rng.permutation(len(open_bonds))[:BONDS].tolist()
    out = []
    for bond in (open_bonds[k] for k in some):
        i, j, side = bond
        lengths: list[Pulled] = []
        for shortest, longest in pairwise(LENGTHS):
            longer = with_bond(still, bond, rng.uniform(shortest, longest))
            spread = rng.uniform(0.0, LARGEST_MOVE)
            longer.positions += rng.normal(scale=spread, size=longer.positions.shape)
            lengths.append((longer, side, int(orders[i, j])))
        out.append(lengths[::-1])
    return out


def lowest_unrestricted(
    structure: Structure,
    side: np.ndarray,
    order: int,
    level: Level,
    density: np.ndarray | None = None,
) -> dft.uks.UKS:
    """Converged unrestricted calculation without net spin, the lower of two starts.

    Parameters
    ----------
    structure : Structure
    side : (n_atom,) boolean array
        Atoms on one side of the bond.
    order : int
        Of the bond: unpaired electrons of each fragment.
    level : Level
        Functional, basis and grid.
    density : (2, n_function, n_function) array, optional
        Of both spins for a longer bond, a start; by default the separate fragments.

    Raises
    ------
    ConvergenceError
        If the SCF does not converge.
    """
    mol = large_basis(structure, level)
    solver = _unrestricted(mol, level)
    if density is None:
        with_spin = mol.copy()
        with_spin.spin = 2 * order
        apart = _unrestricted(with_spin, level)
        apart.with_df = solver.with_df
        apart.kernel()
        density = opposite_spins(mol, apart.make_rdm1(), side)
    found = []
    for start in (solver.get_init_guess(), density):
        solver.kernel(dm0=start)
        found.append((float(solver.e_tot), solver.make_rdm1()))
    lowest = min(found, key=lambda one: one[0])[1]
    solver.grids = dft.Grids(mol)
    solver.grids.level, solver.conv_tol = level.grid, level.convergence
    solver.kernel(dm0=lowest)
    if not solver.converged:
        raise ConvergenceError(f"SCF not converged in {solver.max_cycle} iterations")
    return solver


def opposite_spins(mol: gto.Mole, density: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Spin densities (2, n, n) of two separate fragments, those of one of them exchanged.

    Parameters
    ----------
    mol : pyscf.gto.Mole
    density : (2, n_function, n_function) array
        Of both spins in the high-spin state.
    side : (n_atom,) boolean array
        The fragment whose spins are exchanged.
    """
    functions = side[atom_of_functions(mol)]
    here = np.outer(functions, functions)
    there = np.outer(~functions, ~functions)
    return np.asarray(density * there + density[::-1] * here)


def _unrestricted(mol: gto.Mole, level: Level) -> dft.uks.UKS:
    solver = density_fitted(dft.UKS(mol, xc=level.method))
    solver.grids.level, solver.conv_tol = COARSE_GRID, COARSE_CONVERGENCE
    return solver


def _surface(structure: Structure, solver: dft.uks.UKS, molecule: str) -> Surface:
    return Surface(
        structure,
        float(solver.e_tot),
        -np.asarray(solver.nuc_grad_method().kernel()),
        np.asarray(solver.mulliken_meta(verbose=0)[1]),
        np.asarray(solver.dip_moment(unit="AU", verbose=0)),
        molecule,
    )
