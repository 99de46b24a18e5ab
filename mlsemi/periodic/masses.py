"""Effective masses of electrons and holes at the edges of bands, without differences."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from mlsemi.periodic.bloch import BlochOperator

DEGENERATE = 1e-6
"""Levels nearer than this (hartree) bend together."""

STATIONARY = 1e-4
"""Slopes (hartree bohr) below which a level has an edge; where levels cross they have no mass."""


def curvatures(
    bloch: BlochOperator, point: np.ndarray, band: int, direction: np.ndarray
) -> np.ndarray:
    """Second derivatives of a level by k along a direction; several where it is degenerate.

    Second-order perturbation theory in the derivatives of H_o(k):

        d2 eps = eig[ C_D^+ H'' C_D + 2 sum_m C_D^+ H' C_m C_m^+ H' C_D / (eps_D - eps_m) ]

    Parameters
    ----------
    bloch : BlochOperator
    point : (3,) array
        Fractional.
    band : int
    direction : (3,) array
        Cartesian unit vector.

    Returns
    -------
    (n,) hartree bohr^2, empty where the level is not stationary.
    """
    energies, C = scipy.linalg.eigh(bloch.at(point))
    first, second = bloch.slopes(point, direction)
    own = np.abs(energies - energies[band]) < DEGENERATE
    slope = C.conj().T @ first @ C[:, own]
    if np.abs(slope[own]).max() > STATIONARY:
        return np.empty(0)
    others = slope[~own]
    mixed = others.conj().T @ (others / (energies[band] - energies[~own])[:, None])
    inner = C[:, own].conj().T @ second @ C[:, own] + 2.0 * mixed
    return np.linalg.eigvalsh(inner)


def effective_masses(bloch: BlochOperator, point: np.ndarray, band: int) -> list[list[float]]:
    """Masses along each periodic reciprocal vector, in electron masses; negative for holes.

    Parameters
    ----------
    bloch : BlochOperator
    point : (3,) array
        Fractional, where the band has its edge.
    band : int

    Returns
    -------
    One list per periodic direction: several masses where levels are degenerate, none where the
    band is not stationary.
    """
    assert bloch.cell is not None
    out = []
    for row in bloch.cell.reciprocal[bloch.cell.periodic]:
        bent = curvatures(bloch, point, band, row / np.linalg.norm(row))
        out.append([1.0 / value if value else float("inf") for value in bent.tolist()])
    return out
