"""Coulomb interaction of Gaussian charges, as wide as the hardness of their atoms says."""

from __future__ import annotations

import numpy as np
from scipy.special import erf


def coulomb(positions: np.ndarray, hardness: np.ndarray) -> np.ndarray:
    """(n_atom, n_atom) interaction gamma_AB, hartree.

    gamma_AB = erf(R / w) / R with w^2 = 2 (s_A^2 + s_B^2), s_A = 1 / (pi^1/2 U_A), so that
    gamma_AA = U_A. It differs from 1 / R by an exponentially small amount.

    Parameters
    ----------
    positions : (n_atom, 3) array
        Bohr.
    hardness : (n_atom,) array
        U_A, hartree.
    """
    distance, width = _shape(positions, hardness)
    with np.errstate(invalid="ignore"):
        out = np.where(distance > 0.0, erf(distance / width) / distance, 0.0)
    np.fill_diagonal(out, hardness)
    return out


def coulomb_adjoint(
    positions: np.ndarray, hardness: np.ndarray, gamma_bar: np.ndarray
) -> np.ndarray:
    """Adjoint of :func:`coulomb` by the positions, (n_atom, 3)."""
    distance, width = _shape(positions, hardness)
    np.fill_diagonal(distance, 1.0)
    slope = _gaussian(distance, width) / width / distance
    slope -= erf(distance / width) / distance**2
    pull = (gamma_bar + gamma_bar.T) * slope / distance
    np.fill_diagonal(pull, 0.0)
    return pull.sum(axis=1)[:, None] * positions - pull @ positions


def coulomb_hardness_adjoint(
    positions: np.ndarray, hardness: np.ndarray, gamma_bar: np.ndarray
) -> np.ndarray:
    """Adjoint of :func:`coulomb` by the hardness, (n_atom,).

    d(erf(R / w) / R)/dw = -2 / pi^1/2 exp(-R^2 / w^2) / w^2 and dw/dU_A = -2 / (pi U_A^3 w).
    """
    distance, width = _shape(positions, hardness)
    pull = (gamma_bar + gamma_bar.T) * _gaussian(distance, width) / width**3
    np.fill_diagonal(pull, 0.0)
    return np.diag(gamma_bar) + pull.sum(axis=1) * 2.0 / (np.pi * hardness**3)


def _gaussian(distance: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Slope of erf(x) at x = R / w."""
    return np.asarray(2.0 / np.sqrt(np.pi) * np.exp(-((distance / width) ** 2)))


def _shape(positions: np.ndarray, hardness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and widths of all pairs, bohr."""
    from scipy.spatial.distance import cdist  # slow to import

    squared = 1.0 / (np.pi * hardness**2)
    return cdist(positions, positions), np.sqrt(2.0 * (squared[:, None] + squared[None, :]))
