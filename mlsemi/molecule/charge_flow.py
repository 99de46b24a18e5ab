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
from scipy.linalg import cho_solve_banded, cholesky_banded, lapack

from mlsemi.errors import ConvergenceError
from mlsemi.kernels.charge_flow import (
    arrivals,
    downhill,
    electronegativity,
    flow_adjoint,
    flow_matrix,
    interaction,
    potential,
)
from mlsemi.molecule.dispersion_tables import ElementTables

EASE = 1000.0
"""Of a bond, e^2 / hartree: the energy of caffeine changes by 3e-4 kcal/mol."""

MOST_BONDS = 8.0
"""Coordination numbers end smoothly below (the charges' own)."""

DENSE = 256
"""Up to here a dense matrix is quicker than conjugate gradients."""

TOLERANCE, MOST_STEPS = 1e-12, 1000

HARDNESS, HARDLY_OPEN = 0.6, 1e-2
"""Of the atoms (hartree / e^2) in a first guess of the flows, and the ease of a bond in it."""


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


class Guess:
    """Solves (c B^T B + 1 / w) p = r, as if atoms repelled themselves alone, with hardness c.

    By Woodbury, p = w r - w B^T (1 / c + L)^-1 B w r: one banded system over the atoms, sorted
    along the molecule. Hardly open bonds take part by themselves.

    Parameters
    ----------
    first, second : (n_bond,) integer arrays
    ease : (n_bond,) array
    n : int
        Number of atoms.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray, ease: np.ndarray, n: int) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import reverse_cuthill_mckee  # slow to import

        self.ease, self.n = ease, n
        self.open = np.flatnonzero(ease > HARDLY_OPEN)
        self.ends = first[self.open], second[self.open]
        w = ease[self.open]
        rows = np.concatenate([*self.ends, *self.ends[::-1]])
        graph = coo_array((np.tile(w, 2), rows.reshape(2, -1)), shape=(n, n)).tocsr()
        self.order = reverse_cuthill_mckee(graph, symmetric_mode=True)
        place = np.empty(n, np.int64)
        place[self.order] = np.arange(n)
        one, two = np.sort(place[np.stack(self.ends)], axis=0)
        band = np.zeros((int((two - one).max(initial=0)) + 1, n))
        band[0] = 1.0 / HARDNESS + np.bincount(rows[: 2 * w.size], np.tile(w, 2), n)[self.order]
        band[two - one, one] = -w
        self.factor = cholesky_banded(band, lower=True, check_finite=False)

    def __call__(self, r: np.ndarray) -> np.ndarray:
        """Solution for the right-hand side of all bonds."""
        out = self.ease * r
        arrived = arrivals(*self.ends, out[self.open], self.n)[self.order]
        solved = np.empty(self.n)
        solved[self.order] = cho_solve_banded((self.factor, True), arrived, check_finite=False)
        out[self.open] -= self.ease[self.open] * (solved[self.ends[0]] - solved[self.ends[1]])
        return out


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
        self._guess: Guess | None = None
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
            solved = q0 + self._iterated(x + self._potential(q0))
        else:
            if self._factors is None:
                matrix = flow_matrix(*lists, *ends, self.ease)
                self._factors = lapack.dgetrf(matrix.T, overwrite_a=True)[:2]
            right = downhill(*ends, self.ease, x, charge)
            solved = lapack.dgetrs(*self._factors, right, trans=1)[0]
        return solved

    def _iterated(self, uphill: np.ndarray) -> np.ndarray:
        """Charges B p by conjugate gradients, (B^T A B + 1 / w) p = -B^T uphill on all bonds.

        B takes the flow of every bond to its first atom, from its second.
        """
        ends, n = (self.around.first, self.second), uphill.size
        guess = self._guess if self._guess is not None else Guess(*ends, self.ease, n)
        self._guess = guess
        p, r = np.zeros(self.ease.size), uphill[ends[1]] - uphill[ends[0]]
        z = guess(r)
        step, size = z, float(r @ z)
        limit = TOLERANCE**2 * size
        for _ in range(MOST_STEPS):
            if size <= limit:
                return np.asarray(arrivals(*ends, p, n))
            v = self._potential(arrivals(*ends, step, n))
            image = step / self.ease + v[ends[0]] - v[ends[1]]
            length = size / float(step @ image)
            p, r = p + length * step, r - length * image
            z = guess(r)
            following = float(r @ z)
            step, size = z + following / size * step, following
        raise ConvergenceError("charges of the dispersion energy do not converge")

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
