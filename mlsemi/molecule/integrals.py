"""Integrals of the valence basis: overlap, dipole, velocity, angular momentum (theory section 1).

Analytic integrals over contracted s and p Gaussians, in atomic units. Overlap and dipole stand next
to their adjoints, for losses and properties that read them: from dL/d(matrix) to dL/d(positions),
without a stored derivative tensor.
"""

from __future__ import annotations

import numpy as np

from mlsemi.errors import InputError
from mlsemi.kernels import integrals as kernels
from mlsemi.molecule.basis import Basis

LEVI_CIVITA = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def overlap(basis: Basis, positions: np.ndarray) -> np.ndarray:
    """(n_orbital, n_orbital) overlap matrix S_mn = <m|n> (theory eq 1).

    Parameters
    ----------
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    """
    return kernels.overlap(*_arguments(basis, positions))


def overlap_adjoint(basis: Basis, positions: np.ndarray, S_bar: np.ndarray) -> np.ndarray:
    """Adjoint of :func:`overlap`: (n_atom, 3) array dL/d positions.

    Parameters
    ----------
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    S_bar : (n_orbital, n_orbital) array
        dL/dS; need not be symmetric.
    """
    n = basis.n_orbital
    return kernels.overlap_adjoint(*_arguments(basis, positions), _array(S_bar, (n, n), "S_bar"))


def dipole_integrals(basis: Basis, positions: np.ndarray) -> np.ndarray:
    """(3, n_orbital, n_orbital) integrals <m|r|n> about the coordinate origin, bohr.

    Parameters
    ----------
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    """
    return kernels.dipole(*_arguments(basis, positions))


def dipole_adjoint(basis: Basis, positions: np.ndarray, r_bar: np.ndarray) -> np.ndarray:
    """Adjoint of :func:`dipole_integrals`: (n_atom, 3) array dL/d positions.

    Parameters
    ----------
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    r_bar : (3, n_orbital, n_orbital) array
        dL/dr; need not be symmetric.
    """
    n = basis.n_orbital
    return kernels.dipole_adjoint(*_arguments(basis, positions), _array(r_bar, (3, n, n), "r_bar"))


def velocity_integrals(basis: Basis, positions: np.ndarray) -> np.ndarray:
    """(3, n_orbital, n_orbital) integrals <m|d/dr|n>, antisymmetric, 1/bohr.

    An orbital depends on r - R only, so d/dr = -d/dR and the integral is minus the derivative
    of the overlap with respect to the centre of n.

    Parameters
    ----------
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    """
    return kernels.velocity(*_arguments(basis, positions))


def angular_integrals(
    basis: Basis, positions: np.ndarray, origin: np.ndarray, velocity: np.ndarray | None = None
) -> np.ndarray:
    """(3, n_orbital, n_orbital) integrals <m|(r - O) x d/dr|n>, antisymmetric, dimensionless.

    With R_m the centre of m, (r - O) x d/dr = (R_m - O) x d/dr + (r - R_m) x d/dr. The last
    operator, acting to the left, rotates m about its own centre: it removes an s function and
    turns p_j into -sum_i eps_kij p_i for component k. Velocity and overlap integrals are
    therefore enough.

    Parameters
    ----------
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    origin : (3,) array
        O, bohr.
    velocity : (3, n_orbital, n_orbital) array, optional
        Of :func:`velocity_integrals`, where they are there already.
    """
    centre = _array(positions, (basis.n_atom, 3), "positions")[basis.orbital_atom]
    arm = (centre - _array(origin, (3,), "origin"))[:, :, None]
    if velocity is None:
        velocity = velocity_integrals(basis, positions)
    S = overlap(basis, positions)
    first = basis.shell_offset[basis.shell_l == 1]
    y, z, x = first, first + 1, first + 2
    orbital = (x, y, z)
    angular = np.empty_like(velocity)
    for k, i, j in LEVI_CIVITA:
        np.multiply(arm[:, i], velocity[j], out=angular[k])
        angular[k] -= arm[:, j] * velocity[i]
        angular[k][orbital[j]] -= S[orbital[i]]
        angular[k][orbital[i]] += S[orbital[j]]
    return angular


def _arguments(
    basis: Basis, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What every kernel takes: positions and the arrays of the basis."""
    return (
        _array(positions, (basis.n_atom, 3), "positions"),
        basis.atom_offset,
        basis.atom_species,
        basis.species_exponents,
        basis.species_coefficients,
    )


def _array(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """``array`` as the one array type that the kernels are compiled for, shape checked."""
    if np.shape(array) != shape:
        raise InputError(f"{name} has shape {np.shape(array)}, need {shape}")
    return np.require(array, np.float64, ("C", "W"))
