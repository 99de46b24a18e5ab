"""The eigenproblem: learned Hamiltonian -> orbital energies, orbitals, density matrix.

The model predicts H in the symmetrically orthogonalised (Loewdin) frame of the minimal basis,
H_o. The generalized problem H C = S C diag(eps) (theory eq 1) then has H = S^1/2 H_o S^1/2
and C = S^-1/2 C_o.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg

from mlsemi.brief import Brief
from mlsemi.errors import ConvergenceError
from mlsemi.orbitals import occupation


@dataclass(frozen=True, eq=False, repr=False)
class ElectronicState(Brief):
    """Closed-shell ground state of the learned Hamiltonian.

    Attributes
    ----------
    energies : (n_orbital,) array
        Orbital energies, ascending, hartree.
    orbitals : (n_orbital, n_orbital) array
        Columns C_o, orthonormal, in the Loewdin frame.
    n_occupied : int
        Doubly occupied orbitals (at zero temperature).
    kt : float
        Electronic temperature times Boltzmann's constant, hartree; zero fills the lowest orbitals.
    """

    energies: np.ndarray
    orbitals: np.ndarray
    n_occupied: int
    kt: float = 0.0

    @cached_property
    def occupations(self) -> np.ndarray:
        """(n_orbital,) electrons in each orbital: 2 and 0, or Fermi's in between."""
        if self.kt:
            return occupation.occupations(self.energies, 2 * self.n_occupied, self.kt)
        return np.where(np.arange(self.energies.size) < self.n_occupied, 2.0, 0.0)

    @property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix P_o = C f C^T in the Loewdin frame."""
        if self.kt:
            return (self.orbitals * self.occupations) @ self.orbitals.T
        return self.closed_density

    @cached_property
    def closed_density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix 2 C_occ C_occ^T at zero temperature."""
        occupied = self.orbitals[:, : self.n_occupied]
        return 2.0 * occupied @ occupied.T

    @property
    def entropy(self) -> float:
        """Entropy of the electrons over Boltzmann's constant."""
        return occupation.entropy(self.occupations) if self.kt else 0.0

    @property
    def band_energy(self) -> float:
        """tr(P_o H_o) of the closed shell, hartree."""
        return 2.0 * float(self.energies[: self.n_occupied].sum())

    @property
    def smearing_energy(self) -> float:
        """Free energy of the smeared occupations less that of the closed shell, hartree.

        sum_p f_p eps_p - T S - 2 sum_occ eps_p (theory eq 15); never above zero. Its derivative by
        H_o is ``density - closed_density``, since the free energy is stationary in f.
        """
        if not self.kt:
            return 0.0
        closed = np.where(np.arange(self.energies.size) < self.n_occupied, 2.0, 0.0)
        change = float((self.occupations - closed) @ self.energies)
        return change - self.kt * self.entropy

    @property
    def homo(self) -> float:
        """Energy of the highest occupied orbital, hartree."""
        return float(self.energies[self.n_occupied - 1])

    @property
    def lumo(self) -> float:
        """Energy of the lowest unoccupied orbital, hartree (NaN if every orbital is filled)."""
        full = self.n_occupied == self.energies.size
        return float("nan") if full else float(self.energies[self.n_occupied])


def solve(hamiltonian: np.ndarray, n_electron: int, kt: float = 0.0) -> ElectronicState:
    """Diagonalise H_o and fill the lowest orbitals.

    Parameters
    ----------
    hamiltonian : (n_orbital, n_orbital) symmetric array
        H_o, hartree, in the Loewdin frame.
    n_electron : int
        Even number of valence electrons.
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.

    Raises
    ------
    ConvergenceError
        If the eigensolver fails.
    """
    try:
        energies, orbitals = scipy.linalg.eigh(hamiltonian, check_finite=False, driver="evd")
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(f"the eigensolver failed: {error}") from None
    return ElectronicState(energies, orbitals, n_electron // 2, kt)


def solve_adjoint(
    state: ElectronicState,
    energies_bar: np.ndarray | None = None,
    density_bar: np.ndarray | None = None,
) -> np.ndarray:
    """Adjoint of :func:`solve` for losses of the energies and of the density matrix.

    theory eq 10: H_bar = C diag(eps_bar) C^T;
    theory eq 11: H_bar = C [D o (C^T P_bar C)] C^T with D_pq = (f_p - f_q)/(eps_p - eps_q),
    which needs occupied-virtual pairs only at zero temperature. At a finite one every pair counts,
    D_pp = df_p/deps_p, and the chemical potential follows at a fixed number of electrons.

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
        If ``density_bar`` is given and the gap is zero, at zero temperature.
    """
    C = state.orbitals
    inner = np.zeros_like(C)
    if density_bar is not None and state.kt:
        _add_smeared(state, C.T @ density_bar @ C, inner)
    elif density_bar is not None:
        _add_closed(state, density_bar, inner)
    if energies_bar is not None:
        inner[np.diag_indices_from(inner)] += energies_bar
    return C @ inner @ C.T


def _add_closed(state: ElectronicState, density_bar: np.ndarray, inner: np.ndarray) -> None:
    """Theory eq 11 for doubly occupied and empty orbitals, added to ``inner``."""
    n = state.n_occupied
    occupied, virtual = state.orbitals[:, :n], state.orbitals[:, n:]
    rotated = occupied.T @ (density_bar + density_bar.T) @ virtual
    gap = state.energies[:n, None] - state.energies[None, n:]
    if not np.all(gap < 0.0):
        raise ConvergenceError(
            "the highest occupied and the lowest unoccupied orbital have the same energy: "
            "the density matrix has no derivative there; an electronic temperature gives it one"
        )
    inner[:n, n:] += rotated / gap
    inner[n:, :n] += inner[:n, n:].T


def _add_smeared(state: ElectronicState, rotated: np.ndarray, inner: np.ndarray) -> None:
    """Theory eq 11 at a finite temperature, added to ``inner``; ``rotated`` = C^T P_bar C.

    The shift of mu is the mean of d eps_p weighted with df_p/deps_p.
    """
    slopes = occupation.slopes(state.energies, state.occupations, state.kt)
    inner += slopes * (0.5 * (rotated + rotated.T))
    slope = np.diag(slopes)
    total = slope.sum()
    if total < 0.0:
        mean = float(slope @ np.diag(rotated)) / total
        inner[np.diag_indices_from(inner)] -= slope * mean


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
