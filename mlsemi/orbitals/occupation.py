"""Occupation numbers of orbitals at a finite electronic temperature (theory section 11).

Fermi and Dirac: f_p = 2 / (1 + exp((eps_p - mu) / kT)) with sum_p f_p the number of electrons. The
temperature is always given as kT in hartree.
"""

from __future__ import annotations

import numpy as np
from scipy.special import entr, expit

NEAR = 1.0
"""Levels closer than this (in kT) take the form of the divided difference free of cancellation."""


def fermi_level(
    energies: np.ndarray, n_electron: int, kt: float, weights: np.ndarray | float = 1.0
) -> float:
    """Chemical potential mu, hartree; infinite when every orbital is filled, or none.

    Parameters
    ----------
    energies : (n_orbital,) or (n_k, n_orbital) array
        Hartree.
    n_electron : int
    kt : float
        Above zero.
    weights : (n_k, 1) array, optional
        Of the points in reciprocal space, where there are several: they sum to one.
    """
    if n_electron >= 2 * energies.shape[-1]:
        return float("inf")
    if n_electron == 0:
        return float("-inf")

    def excess(mu: float) -> float:
        return float(2.0 * (weights * expit((mu - energies) / kt)).sum() - n_electron)

    from scipy.optimize import brentq  # slow to import, and rarely needed

    margin = 60.0 * kt
    return float(brentq(excess, energies.min() - margin, energies.max() + margin, xtol=1e-15))


def occupations(energies: np.ndarray, n_electron: int, kt: float) -> np.ndarray:
    """(n_orbital,) occupation numbers f_p between 0 and 2.

    Parameters
    ----------
    energies : (n_orbital,) array
        Hartree.
    n_electron : int
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.
    """
    return 2.0 * expit((fermi_level(energies, n_electron, kt) - energies) / kt)


def entropy(occupation: np.ndarray, weights: np.ndarray | float = 1.0) -> float:
    """S / k = -2 sum_p [n_p ln n_p + (1 - n_p) ln(1 - n_p)] with n_p = f_p / 2.

    ``weights`` (n_k, 1) are those of the points in reciprocal space, where there are several.
    """
    n = 0.5 * occupation
    return float(2.0 * (weights * (entr(n) + entr(1.0 - n))).sum())


def slopes(energies: np.ndarray, occupation: np.ndarray, kt: float) -> np.ndarray:
    """Divided differences D_pq = (f_p - f_q) / (eps_p - eps_q), D_pp = df_p / deps_p.

    At a fixed chemical potential. For near levels the difference of two Fermi functions is
    written as a product, f_p - f_q = -4 (g_p g_q)^1/2 sinh((eps_p - eps_q) / 2kT) with
    g = f/2 (1 - f/2), which has no cancellation.

    Parameters
    ----------
    energies, occupation : (n_orbital,) arrays
    kt : float

    Returns
    -------
    (n_orbital, n_orbital) symmetric array, per hartree.
    """
    x = (energies[:, None] - energies[None, :]) / kt
    half = np.where(np.abs(x) < NEAR, 0.5 * x, 0.0)
    with np.errstate(invalid="ignore"):
        ratio = np.where(half == 0.0, 1.0, np.sinh(half) / half)
    root = np.sqrt(0.5 * occupation * (1.0 - 0.5 * occupation))
    near = -2.0 * root[:, None] * root[None, :] * ratio
    far = (occupation[:, None] - occupation[None, :]) / np.where(np.abs(x) < NEAR, np.inf, x)
    return np.where(np.abs(x) < NEAR, near, far) / kt
