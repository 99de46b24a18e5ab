"""Charges of D4, equilibrated by flows along bonds: none between molecules that do not touch.

D4's charges minimise x q + 1/2 q A q for the whole system (Caldeweyher et al., J. Chem. Phys. 150,
154122 (2019)), so molecules at any distance exchange them. Here they flow along bonds alone,

    q = q0 - L mu,   mu = x + A q,   L = sum_bonds w (e_i - e_j) (e_i - e_j)^T                (13a)

with the ease w = 1000 times D4's own count of the bond: 1000 in a molecule, where mu is then the
same everywhere and q are D4's charges to 1e-3, 1 at 1.7 times the covalent distance, zero beyond.
(Split charges: Nistor, Polihronov, Mueser, Mosey, J. Chem. Phys. 125, 094108 (2006).) The adjoint
of x -> q is the same equation with other electronegativities.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.linalg import lapack

from mlsemi.errors import ConvergenceError
from mlsemi.kernels.charge_flow import (
    downhill,
    electronegativity,
    flow_adjoint,
    flow_matrix,
    interaction,
    iterate_flow,
    potential,
)
from mlsemi.molecule.dispersion_tables import ElementTables

EASE = 1000.0
"""Of a bond, e^2 / hartree: the energy of caffeine changes by 3e-4 kcal/mol."""

MOST_BONDS = 8.0
"""Coordination numbers end smoothly below (the charges' own)."""

DENSE = 256
"""Up to here a dense matrix is quicker than conjugate gradients."""

TOLERANCE, MOST_STEPS = 1e-12, 10000


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Sorted atoms, their neighbours and bonds, as `kernels/dispersion.py` lists them.

    Attributes
    ----------
    positions : (3, n) array
        Ascending in row 0, bohr.
    species : (n,) integer array
        Rows of the tables.
    start, index, squared : arrays
        Lists of neighbours.
    cn : (2, n) array
        Coordination numbers of D4 and of its charges.
    first, at : (n_bond,) integer arrays
    bond : (3, n_bond) array
        Count, weight, slope of the count.
    """

    positions: np.ndarray
    species: np.ndarray
    start: np.ndarray
    index: np.ndarray
    squared: np.ndarray
    cn: np.ndarray
    first: np.ndarray
    at: np.ndarray
    bond: np.ndarray


@cache
def shift_of(near: float, reach: float) -> np.ndarray:
    """(3,) s with 1 / r + s_0 + s_1 (r - near)^3 + s_2 (r - near)^4 and two slopes 0 at ``reach``.

    A constant moves no charge; so nothing changes in molecules smaller than ``near``.
    """
    y = reach - near
    matrix = [[1.0, y**3, y**4], [0.0, 3.0 * y**2, 4.0 * y**3], [0.0, 6.0 * y, 12.0 * y**2]]
    return np.linalg.solve(matrix, [-1.0 / reach, 1.0 / reach**2, -2.0 / reach**3])


class ChargeFlow:
    """The charges at one geometry, and the way back.

    Parameters
    ----------
    around : Neighbourhood
    tables : ElementTables
    charge : float
        Total charge; it starts spread over all atoms.
    near, reach : float
        Where the Coulomb interaction begins to end, and ends, bohr.

    Attributes
    ----------
    charges : (n,) array

    Raises
    ------
    ConvergenceError
        If the conjugate gradients do not converge.
    """

    def __init__(
        self, around: Neighbourhood, tables: ElementTables, charge: float, near: float, reach: float
    ) -> None:
        self.around = around
        shift = shift_of(near, reach)
        width = tables.width[around.species]
        self.coulomb, self.slope = interaction(
            around.start, around.index, around.squared, width, shift, near
        )
        self.own = (tables.eta + np.sqrt(2.0 / np.pi) / tables.width + shift[0])[around.species]
        self.ease = EASE * around.bond[0]
        self.second = around.index[around.at]
        self._factors: tuple[np.ndarray, np.ndarray] | None = None
        chi, pull = tables.chi[around.species], tables.pull[around.species]
        x, self._x_slope = electronegativity(chi, pull, around.cn[1], MOST_BONDS)
        self.charges = self._flow(x, charge)
        self.uphill = x + self._potential(self.charges)

    def _potential(self, q: np.ndarray) -> np.ndarray:
        around = self.around
        out: np.ndarray = potential(around.start, around.index, self.coulomb, self.own, q)
        return out

    def _flow(self, x: np.ndarray, charge: float) -> np.ndarray:
        """Solution of (13a) for electronegativities x and a total charge."""
        around, ends = self.around, (self.around.first, self.second)
        lists = around.start, around.index, self.coulomb, self.own
        solved: np.ndarray
        if x.size > DENSE:
            q0 = np.full(x.size, charge / x.size)
            inverse = 1.0 / self.ease
            between = self.own[ends[0]] + self.own[ends[1]] - 2.0 * self.coulomb[around.at]
            inverses = np.stack([inverse, 1.0 / (inverse + between)])
            uphill = x + self._potential(q0)
            flown, converged = iterate_flow(*lists, *ends, inverses, uphill, TOLERANCE, MOST_STEPS)
            if not converged:
                raise ConvergenceError("charges of the dispersion energy do not converge")
            solved = q0 + flown
        else:
            if self._factors is None:
                matrix = flow_matrix(*lists, *ends, self.ease)
                self._factors = lapack.dgetrf(matrix.T, overwrite_a=True)[:2]
            right = downhill(*ends, self.ease, x, charge)
            solved = lapack.dgetrs(*self._factors, right, trans=1)[0]
        return solved

    def adjoint(self, charges_bar: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Add to the gradient (3, n) what moves the charges; cotangent of the coordination number.

        Parameters
        ----------
        charges_bar : (n,) array
        gradient : (3, n) array

        Returns
        -------
        (n,) array
        """
        around = self.around
        back = self._flow(-charges_bar, 0.0)
        back_uphill = self._potential(back) - charges_bar
        bonds = np.zeros(around.index.size)
        bonds[around.at] = (
            EASE
            * around.bond[2]
            * (self.uphill[around.first] - self.uphill[self.second])
            * (back_uphill[around.first] - back_uphill[self.second])
        )
        flow_adjoint(
            around.start,
            around.index,
            around.positions,
            self.slope,
            self.charges,
            back,
            bonds,
            gradient,
        )
        cn_bar: np.ndarray = -back * self._x_slope
        return cn_bar
