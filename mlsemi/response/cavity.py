"""The cavity of a molecule in a polarisable continuum, and the charges on its surface: C-PCM.

Barone, Cossi, J. Phys. Chem. A 102, 1995 (1998); Gaussian surface charges that are switched off
smoothly inside other atoms: Lange, Herbert, J. Chem. Phys. 133, 244111 (2010), ISWIG.

    A s = B q,   K_1 = - B^T A^-1 B,   G = 1/2 f q^T K_1 q,   f = (eps - 1) / eps               (19)

with q the moments of the atoms (:mod:`mlsemi.response.moments`) and s the surface charges of a
conductor. Positions enter through points that move with their atoms and through the switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.linalg
from scipy.special import erf

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.kernels import cavity as kernels
from mlsemi.molecule.elements import symbol
from mlsemi.molecule.structure import Structure
from mlsemi.units import BOHR_ANGSTROM

RADII = {
    1: 1.10, 5: 1.92, 6: 1.70, 7: 1.55, 8: 1.52, 9: 1.47, 14: 2.10, 15: 1.80, 16: 1.80, 17: 1.75,
    34: 1.90, 35: 1.83, 53: 1.98,
}  # fmt: skip
"""Van der Waals radii, angstrom: Bondi, J. Phys. Chem. 68, 441 (1964); H, B, Br: Mantina et al.,
J. Phys. Chem. A 113, 5806 (2009)."""

SCALE = 1.2
"""Radius of a sphere in van der Waals radii."""

ORDER, WIDTH = 17, 4.90101060987
"""Order of Lebedev's rule (110 points) and the width of its Gaussian charges: York, Karplus, J.
Phys. Chem. A 103, 11060 (1999), table 1."""

LEAST_EXPOSED = 1e-10
"""Points switched off further than this are left out."""


@dataclass(frozen=True, eq=False)
class Cavity:
    """Points on the surface of a molecule.

    Attributes
    ----------
    positions : (n_atom, 3) array
        Of the atoms, bohr.
    radii : (n_atom,) array
        Of the spheres, bohr.
    points : (n_point, 3) array
    atom : (n_point,) int array
        Sphere of each point.
    zeta : (n_point,) array
        Exponents of the surface charges, 1/bohr.
    exposed : (n_point,) array
        Switch F of each point, between 0 and 1.
    areas : (n_point,) array
        Of the sphere around each point, without the switch, bohr^2.
    """

    positions: np.ndarray
    radii: np.ndarray
    points: np.ndarray
    atom: np.ndarray
    zeta: np.ndarray
    exposed: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, structure: Structure) -> Cavity:
        """Cavity of a structure.

        Raises
        ------
        InputError
            If an element has no radius.
        """
        missing = set(structure.numbers.tolist()) - set(RADII)
        if missing:
            names = " ".join(symbol(z) for z in sorted(missing))
            raise InputError(f"no radius of {names} in a solvent (there are those of {_known()})")
        positions = structure.positions
        radii = SCALE / BOHR_ANGSTROM * np.array([RADII[z] for z in structure.numbers.tolist()])
        directions, weights = _sphere()
        n, n_direction = structure.n_atom, weights.size
        points = (positions[:, None] + radii[:, None, None] * directions).reshape(-1, 3)
        atom = np.repeat(np.arange(n), n_direction)
        zeta = (WIDTH / (radii[:, None] * np.sqrt(weights))).ravel()
        areas = (radii[:, None] ** 2 * weights).ravel()
        exposed = _switches(points, atom, zeta, positions, radii)[0].prod(axis=1)
        kept = exposed > LEAST_EXPOSED
        of_points = (array[kept] for array in (points, atom, zeta, exposed, areas))
        return cls(positions, radii, *of_points)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """(n_point,) A_kk = z_k (2 / pi)^1/2 / F_k."""
        return self.zeta * np.sqrt(2.0 / np.pi) / self.exposed

    @cached_property
    def potential(self) -> np.ndarray:
        """(n_point, 4 n_atom) B: potential of unit moments at the points."""
        made = kernels.surface_potential(self.points, self.zeta, self.positions)
        return np.asarray(made.reshape(self.zeta.size, -1))

    @cached_property
    def _factor(self) -> np.ndarray:
        matrix = kernels.surface_matrix(self.points, self.zeta, self.diagonal)
        try:
            return np.asarray(
                scipy.linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
            )
        except np.linalg.LinAlgError:
            raise ConvergenceError("the surface of the cavity is singular") from None

    def charges(self, moments: np.ndarray) -> np.ndarray:
        """(n_point, ...) charges A^-1 B q that screen moments (4 n_atom, ...), sign reversed."""
        at_points = self.potential @ moments
        return np.asarray(
            scipy.linalg.cho_solve((self._factor, True), at_points, check_finite=False)
        )

    def reaction(self, moments: np.ndarray) -> np.ndarray:
        """(n_atom, 4) potential K_1 q of the screening charges of a conductor."""
        return -(self.potential.T @ self.charges(moments.ravel())).reshape(moments.shape)

    @cached_property
    def between_charges(self) -> np.ndarray:
        """(n_atom, n_atom) block of K_1 between atomic charges."""
        b = scipy.linalg.solve_triangular(
            self._factor, self.potential[:, ::4], lower=True, check_finite=False
        )
        return np.asarray(-b.T @ b)

    @property
    def atom_areas(self) -> np.ndarray:
        """(n_atom,) exposed area of each sphere, bohr^2."""
        return np.bincount(self.atom, self.areas * self.exposed, self.radii.size)

    def reaction_adjoint(self, moments: np.ndarray) -> np.ndarray:
        """(n_atom, 3) gradient of 1/2 q^T K_1 q at fixed moments (n_atom, 4) by the positions."""
        s = self.charges(moments.ravel())
        points_bar, positions_bar = np.zeros_like(self.points), np.zeros_like(self.positions)
        kernels.surface_matrix_adjoint(self.points, self.zeta, s, points_bar)
        kernels.surface_potential_adjoint(
            self.points, self.zeta, self.positions, moments, -s, points_bar, positions_bar
        )
        exposed_bar = -0.5 * s**2 * self.diagonal / self.exposed
        return positions_bar + self._to_atoms(points_bar, exposed_bar)

    def areas_adjoint(self, atom_areas_bar: np.ndarray) -> np.ndarray:
        """Adjoint of :attr:`atom_areas` by the positions, (n_atom, 3)."""
        exposed_bar = atom_areas_bar[self.atom] * self.areas
        return self._to_atoms(np.zeros_like(self.points), exposed_bar)

    def _to_atoms(self, points_bar: np.ndarray, exposed_bar: np.ndarray) -> np.ndarray:
        """Cotangents of points and switches -> positions of the atoms."""
        switches, slopes = _switches(self.points, self.atom, self.zeta, self.positions, self.radii)
        apart = self.points[:, None] - self.positions
        distance = np.linalg.norm(apart, axis=2)
        pull = (exposed_bar * self.exposed)[:, None] * slopes / (switches * distance)
        moved = pull[:, :, None] * apart
        out = np.zeros_like(self.positions)
        np.add.at(out, self.atom, points_bar + moved.sum(axis=1))
        return out - moved.sum(axis=0)


def _switches(
    points: np.ndarray,
    atom: np.ndarray,
    zeta: np.ndarray,
    positions: np.ndarray,
    radii: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(n_point, n_atom) switches by each sphere and their slopes by the distance.

    1 - 1/2 erf(z (R + r)) - 1/2 erf(z (R - r)); one by a point's own sphere.
    """
    distance = np.linalg.norm(points[:, None] - positions, axis=2)
    inner, outer = zeta[:, None] * (radii - distance), zeta[:, None] * (radii + distance)
    values = 1.0 - 0.5 * (erf(inner) + erf(outer))
    slopes = zeta[:, None] / np.sqrt(np.pi) * (np.exp(-(inner**2)) - np.exp(-(outer**2)))
    own = np.arange(atom.size), atom
    values[own], slopes[own] = 1.0, 0.0
    return values, slopes


@lru_cache(maxsize=1)
def _sphere() -> tuple[np.ndarray, np.ndarray]:
    """Directions (n, 3) and weights (n,) of Lebedev's rule on the unit sphere."""
    from scipy.integrate import lebedev_rule  # slow to import

    directions, weights = lebedev_rule(ORDER)
    return np.ascontiguousarray(directions.T), weights


def _known() -> str:
    return " ".join(symbol(z) for z in RADII)
