"""Observables of one density matrix: charges, dipole, bond orders, and their adjoints; shells."""

from __future__ import annotations

import numpy as np

from mlsemi.molecule.elements import n_orbital_of
from mlsemi.molecule.structure import Structure
from mlsemi.symmetry.so3 import XYZ


def orbital_atom(structure: Structure) -> np.ndarray:
    """(n_orbital,) atom of each valence orbital."""
    sizes = [n_orbital_of(z) for z in structure.numbers.tolist()]
    return np.repeat(np.arange(structure.n_atom), sizes)


def shells_of(structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atom, angular momentum (0 or 1) and first orbital of every shell."""
    sizes = np.array([n_orbital_of(z) for z in structure.numbers.tolist()])
    n_shell = np.where(sizes > 1, 2, 1)
    atom = np.repeat(np.arange(structure.n_atom), n_shell)
    momentum = (np.diff(atom, prepend=-1) == 0).astype(int)
    start = (np.cumsum(sizes) - sizes)[atom] + momentum
    return atom, momentum, start


def shell_populations(structure: Structure, orbitals: np.ndarray) -> np.ndarray:
    """(n_shell, n_column) squares of orbital coefficients, summed over each shell."""
    return np.add.reduceat(orbitals**2, shells_of(structure)[2], axis=0)


def lowdin_charges(structure: Structure, density: np.ndarray) -> np.ndarray:
    """(n_atom,) charges q_A = Z_A - sum_{mu in A} P_o,mu mu (Loewdin frame), e."""
    population = np.bincount(orbital_atom(structure), np.diag(density), structure.n_atom)
    return structure.core_charges - population


def lowdin_charges_adjoint(structure: Structure, charges_bar: np.ndarray) -> np.ndarray:
    """dL/dP_o (n_orbital, n_orbital), diagonal."""
    return np.diag(-charges_bar[orbital_atom(structure)])


def mulliken_charges(
    structure: Structure, density_ao: np.ndarray, overlap: np.ndarray
) -> np.ndarray:
    """(n_atom,) charges q_A = Z_A - sum_{mu in A} (P S)_mu mu (AO frame), e.

    Parameters
    ----------
    structure : Structure
    density_ao, overlap : (n_orbital, n_orbital) arrays
        P and S of the atomic orbitals.
    """
    gross = np.einsum("mn,nm->m", density_ao, overlap)
    return structure.core_charges - np.bincount(orbital_atom(structure), gross, structure.n_atom)


def mayer_bond_orders(
    structure: Structure, density_ao: np.ndarray, overlap: np.ndarray
) -> np.ndarray:
    """(n_atom, n_atom) Mayer bond orders sum_{mu in A, nu in B} (PS)_mu nu (PS)_nu mu.

    Mayer, Chem. Phys. Lett. 97, 270 (1983); the diagonal is set to zero.

    Parameters
    ----------
    structure : Structure
    density_ao, overlap : (n_orbital, n_orbital) arrays
        P and S of the atomic orbitals.
    """
    ps = density_ao @ overlap
    start = np.flatnonzero(np.diff(orbital_atom(structure), prepend=-1))
    product = np.add.reduceat(np.add.reduceat(ps * ps.T, start, axis=0), start, axis=1)
    np.fill_diagonal(product, 0.0)
    return product


def dipole(
    structure: Structure,
    charges: np.ndarray,
    density: np.ndarray,
    sp_length: np.ndarray,
    atom_dipoles: np.ndarray,
) -> np.ndarray:
    """Dipole of charges, hybridised atoms and learned atomic dipoles, e bohr.

    mu = sum_A q_A R_A - 2 sum_A d_A P_o(s_A, p_A) + sum_A mu_A, about the coordinate origin.

    Parameters
    ----------
    structure : Structure
    charges : (n_atom,) array
        Loewdin charges, e.
    density : (n_orbital, n_orbital) array
        P_o in the Loewdin frame.
    sp_length : (n_atom,) array
        d_A = <s|r|p> of each atom, bohr.
    atom_dipoles : (n_atom, 3) array
        mu_A, Cartesian, e bohr.

    Returns
    -------
    (3,) array
    """
    s, with_p = sp_rows(structure)
    hybrid = -2.0 * np.einsum(
        "a,ax->x", sp_length[with_p], density[s[:, None], s[:, None] + 1 + XYZ]
    )
    return charges @ structure.positions + hybrid + atom_dipoles.sum(axis=0)


def dipole_adjoint(
    structure: Structure,
    charges: np.ndarray,
    density: np.ndarray,
    sp_length: np.ndarray,
    dipole_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Adjoint of :func:`dipole`.

    Returns
    -------
    charges_bar (n_atom,), density_bar (n_orbital, n_orbital), sp_length_bar (n_atom,) and
    positions_bar (n_atom, 3); that of every atomic dipole is ``dipole_bar`` itself.
    """
    s, with_p = sp_rows(structure)
    density_bar = np.zeros_like(density)
    block = s[:, None], s[:, None] + 1 + XYZ
    density_bar[block] = -2.0 * sp_length[with_p][:, None] * dipole_bar
    sp_length_bar = np.zeros_like(sp_length)
    sp_length_bar[with_p] = -2.0 * density[block] @ dipole_bar
    positions_bar = np.outer(charges, dipole_bar)
    return structure.positions @ dipole_bar, density_bar, sp_length_bar, positions_bar


def sp_rows(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """First orbital of every atom that carries a p shell, and those atoms."""
    sizes = np.array([n_orbital_of(z) for z in structure.numbers.tolist()])
    start = np.cumsum(sizes) - sizes
    with_p = np.flatnonzero(sizes > 1)
    return start[with_p], with_p
