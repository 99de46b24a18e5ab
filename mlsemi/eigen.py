"""The eigenproblem: learned Hamiltonian -> orbital energies, orbitals, density matrix.

The model predicts H in the symmetrically orthogonalised (Loewdin) frame of the minimal basis,
H_o. The generalized problem H C = S C diag(eps) (theory eq 1) then has H = S^1/2 H_o S^1/2
and C = S^-1/2 C_o.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from mlsemi.errors import ConvergenceError


@dataclass(frozen=True, eq=False)
class ElectronicState:
    """Closed-shell ground state of the learned Hamiltonian.

    Attributes
    ----------
    energies : (n_orbital,) array
        Orbital energies, ascending, hartree.
    orbitals : (n_orbital, n_orbital) array
        Columns C_o, orthonormal, in the Loewdin frame.
    n_occupied : int
        Doubly occupied orbitals.
    """

    energies: np.ndarray
    orbitals: np.ndarray
    n_occupied: int

    @property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix P_o = 2 C_occ C_occ^T in the Loewdin frame."""
        occupied = self.orbitals[:, : self.n_occupied]
        return 2.0 * occupied @ occupied.T

    @property
    def homo(self) -> float:
        """Energy of the highest occupied orbital, hartree."""
        return float(self.energies[self.n_occupied - 1])

    @property
    def lumo(self) -> float:
        """Energy of the lowest unoccupied orbital, hartree (NaN if every orbital is filled)."""
        full = self.n_occupied == self.energies.size
        return float("nan") if full else float(self.energies[self.n_occupied])


def solve(hamiltonian: np.ndarray, n_electron: int) -> ElectronicState:
    """Diagonalise H_o and fill the lowest orbitals.

    Parameters
    ----------
    hamiltonian : (n_orbital, n_orbital) symmetric array
        H_o, hartree, in the Loewdin frame.
    n_electron : int
        Even number of valence electrons.

    Raises
    ------
    ConvergenceError
        If the eigensolver fails.
    """
    try:
        energies, orbitals = scipy.linalg.eigh(hamiltonian, check_finite=False, driver="evd")
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(f"the eigensolver failed: {error}") from None
    return ElectronicState(energies, orbitals, n_electron // 2)


def solve_adjoint(
    state: ElectronicState,
    energies_bar: np.ndarray | None = None,
    density_bar: np.ndarray | None = None,
) -> np.ndarray:
    """Adjoint of :func:`solve` for losses of the energies and of the density matrix.

    theory eq 10: H_bar = C diag(eps_bar) C^T;
    theory eq 11: H_bar = C [D o (C^T P_bar C)] C^T with D_pq = (f_p - f_q)/(eps_p - eps_q),
    which needs occupied-virtual pairs only.

    Parameters
    ----------
    state : ElectronicState
    energies_bar : (n_orbital,) array, optional
        dL/d eps.
    density_bar : (n_orbital, n_orbital) array, optional
        dL/dP_o; need not be symmetric.

    Returns
    -------
    (n_orbital, n_orbital) symmetric array dL/dH_o.

    Raises
    ------
    ConvergenceError
        If ``density_bar`` is given and the gap is zero.
    """
    C = state.orbitals
    n = state.n_occupied
    inner = np.zeros_like(C)
    if density_bar is not None:
        occupied, virtual = C[:, :n], C[:, n:]
        rotated = occupied.T @ (density_bar + density_bar.T) @ virtual
        gap = state.energies[:n, None] - state.energies[None, n:]
        if not np.all(gap < 0.0):
            raise ConvergenceError(
                "the highest occupied and the lowest unoccupied orbital have the same energy: "
                "the density matrix has no derivative there"
            )
        inner[:n, n:] = rotated / gap
        inner += inner.T
    if energies_bar is not None:
        inner[np.diag_indices_from(inner)] += energies_bar
    return C @ inner @ C.T


def inverse_root(overlap: np.ndarray) -> np.ndarray:
    """S^-1/2 of a positive definite matrix.

    Raises
    ------
    ConvergenceError
        If S is not positive definite (atoms far too close).
    """
    values, vectors = scipy.linalg.eigh(overlap, check_finite=False, driver="evd")
    if values[0] < 1e-8:
        raise ConvergenceError(
            f"the basis is linearly dependent (smallest overlap eigenvalue {values[0]:.1e})"
        )
    return (vectors / np.sqrt(values)) @ vectors.T


def inverse_root_adjoint(overlap: np.ndarray, root_bar: np.ndarray) -> np.ndarray:
    """Adjoint of :func:`inverse_root`: dL/dS from dL/d(S^-1/2).

    In the eigenbasis of S the derivative of s^-1/2 is the divided difference
    -1 / (a b (a + b)) with a, b = s_p^1/2, s_q^1/2 (Daleckii-Krein).
    """
    values, vectors = scipy.linalg.eigh(overlap, check_finite=False, driver="evd")
    a = np.sqrt(values)
    divided = -1.0 / (a[:, None] * a[None, :] * (a[:, None] + a[None, :]))
    return vectors @ (divided * (vectors.T @ root_bar @ vectors)) @ vectors.T
