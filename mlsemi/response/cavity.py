"""The cavity of a molecule in a polarisable continuum, and the charges on its surface: C-PCM.

Barone, Cossi, J. Phys. Chem. A 102, 1995 (1998), solved in few functions of each atom:

    s_k = a_k F_k sum_m Y_m(n_k) c_m,   s = T^T c
    G = f min over c of [1/2 s A s - s B q] = 1/2 f q^T K_1 q                                   (19)
    K_1 = - (T B)^T (T A T^T)^-1 (T B)
    A_kl = g(r_kl),   A_kk = g(0) + w R_kk / (a_k F_k)

with q the moments of the atoms (:mod:`mlsemi.response.moments`), s the surface charges of a
conductor, f = (eps - 1) / eps, a_k the area of a point and Y_m Cartesian harmonics up to l = 2
(hydrogen 1) of its direction n_k on its sphere.

F_k switches a point off inside other spheres over a width like the distance of the points
(:func:`mlsemi.kernels.cavity.step`): what is integrated over a sphere is smooth where the points
are, so that a turn of the molecule matters little although the points are few. Charges are smeared
as widely, for the same reason (:func:`mlsemi.kernels.cavity.interactions`); what smearing
takes from the potential near a point is local, and is put back on the diagonal with the density
s_k / (a_k F_k) there: regularisation with correction, Beale, Ying, Wilson, Commun. Comput. Phys.
20, 733 (2016).

All that is solved has the size of the functions, 4 or 9 an atom; over points there are only sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import scipy.linalg

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

ORDERS = 7, 15
"""Orders of Lebedev's rules on hydrogen (26 points) and on other atoms (86)."""

FUNCTIONS = 4, 9
"""Functions of hydrogen and of other atoms: l up to 1 and up to 2."""

WIDTH, CLOSEST = 1.2, 0.8
"""Half the width of a switch in distances of the points; at most that share of the other radius, so
that no point is where an atom is."""

BALL = 1.5
"""Radius R_k of the ball of a charge in distances of the points."""

PUT_BACK = 2.0 * np.pi * 252.0 / 1024.0
"""w: int (1/r - g) d^2 r over a plane, over the radius of g."""

STIFF = 1e-3
"""Added to T A T^T of each function times R^3: functions of hidden atoms stay determined. (They
have norms of 17 R^3 for l = 1 and 2 R^3 for l = 2 on a free sphere.)"""

LEAST_EXPOSED = 1e-12
"""Points switched off further than this are left out."""

SEEN = 0.1
"""Switch of points that show how the surface hangs together."""


@dataclass(frozen=True, eq=False)
class Cavity:
    """Points on the surface of a molecule.

    Attributes
    ----------
    positions : (n_atom, 3) array
        Of the atoms, bohr.
    radii : (n_atom,) array
        Of the spheres, bohr.
    spacing : (n_atom,) array
        Distance of the points of a sphere, bohr.
    points : (n_point, 3) array
        Sorted by atom.
    atom : (n_point,) int array
        Sphere of each point.
    harmonics : (9, n_point) array
        Y_m(n_k).
    functions : (n_atom + 1,) int array
        First function of each atom.
    exposed : (n_point,) array
        Switch F of each point, between 0 and 1.
    areas : (n_point,) array
        Of the sphere around each point, without the switch, bohr^2.
    """

    positions: np.ndarray
    radii: np.ndarray
    spacing: np.ndarray
    points: np.ndarray
    atom: np.ndarray
    harmonics: np.ndarray
    functions: np.ndarray
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
        heavy = (structure.numbers > 1).astype(int)
        spheres = [_sphere(ORDERS[kind]) for kind in heavy]
        sizes = np.array([weights.size for _, weights, _ in spheres])
        directions, weights, harmonics = (
            np.concatenate([sphere[part] for sphere in spheres], axis=-1) for part in range(3)
        )
        atom = np.repeat(np.arange(structure.n_atom), sizes)
        points = positions[atom] + radii[atom, None] * directions.T
        spacing = radii * np.sqrt(4.0 * np.pi / sizes)
        widths = _widths(radii, spacing)
        exposed = kernels.exposure(points, atom, positions, radii, widths)
        kept = exposed > LEAST_EXPOSED
        return cls(
            positions,
            radii,
            spacing,
            points[kept],
            atom[kept],
            np.ascontiguousarray(harmonics[:, kept]),
            np.concatenate([[0], np.cumsum(np.array(FUNCTIONS)[heavy])]),
            exposed[kept],
            (radii[atom] ** 2 * weights)[kept],
        )

    @cached_property
    def holes(self) -> int:
        """Closed surfaces with the molecule outside: rooms inside it, which the continuum fills.

        Points nearer than twice their spacing hang together; inside a hole they look inwards.
        """
        from scipy.sparse import coo_array  # slow to import, and seldom needed
        from scipy.sparse.csgraph import connected_components
        from scipy.spatial import KDTree

        seen = self.exposed > SEEN
        x, area = self.points[seen], (self.areas * self.exposed)[seen]
        outwards = x - self.positions[self.atom[seen]]
        outwards /= self.radii[self.atom[seen], None]
        pairs = KDTree(x).query_pairs(2.0 * float(self.spacing.max()), output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(x), len(x)))
        count, sheet = connected_components(graph, directed=False)
        middle = (
            np.stack([np.bincount(sheet, area * x[:, k], count) for k in range(3)], axis=1)
            / np.bincount(sheet, area, count)[:, None]
        )
        volume = np.bincount(sheet, area * np.sum(outwards * (x - middle[sheet]), axis=1), count)
        return int(np.sum(volume < 0.0))

    @cached_property
    def _first(self) -> np.ndarray:
        """(n_atom + 1,) first point of each atom."""
        return np.searchsorted(self.atom, np.arange(self.radii.size + 1))

    @property
    def _balls(self) -> np.ndarray:
        """(n_atom,) R_k of the points of each atom, bohr."""
        return BALL * self.spacing

    @cached_property
    def _put_back(self) -> np.ndarray:
        """(n_point,) w R_kk / a_k: correction of the diagonal but for the switch, 1/bohr."""
        return np.asarray(PUT_BACK * np.sqrt(2.0) * self._balls[self.atom] / self.areas)

    @cached_property
    def _basis(self) -> np.ndarray:
        """(9, n_point) a_k F_k Y_m(n_k)."""
        return np.asarray(self.areas * self.exposed * self.harmonics)

    @cached_property
    def potential(self) -> np.ndarray:
        """(n_function, 4 n_atom) T B: potential of unit moments on the functions."""
        out = np.empty((self.functions[-1], 4 * self.radii.size))
        for rows, own, points in self._atoms:
            out[rows] = own @ kernels.moments_potential(points, self.positions)
        return out

    @cached_property
    def _atoms(self) -> list[tuple[slice, np.ndarray, np.ndarray]]:
        """Of each atom its functions, T of them (m, n) and its points (n, 3)."""
        functions, points = pairwise(self.functions), pairwise(self._first)
        return [
            (slice(a, b), self._basis[: b - a, k:l], self.points[k:l])
            for (a, b), (k, l) in zip(functions, points, strict=True)
        ]

    @cached_property
    def _factor(self) -> np.ndarray:
        """Cholesky factor, lower, of T A T^T."""
        columns = np.ascontiguousarray(self.points.T)
        diagonal = self._put_back / self.exposed
        matrix = np.zeros((self.functions[-1], self.functions[-1]))
        for i, (rows, own, _) in enumerate(self._atoms):
            between = kernels.surface_rows(columns, self._first, self._balls, i)
            start, end = self._first[i : i + 2]
            between[np.arange(end - start), np.arange(start, end)] += diagonal[start:end]
            before = self.functions[: i + 2]
            kernels.onto_functions(own @ between, self._first, self._basis, before, matrix[rows])
        stiff = STIFF * np.repeat(self.radii**3, np.diff(self.functions))
        matrix[np.diag_indices_from(matrix)] += stiff
        try:
            return np.asarray(
                scipy.linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
            )
        except np.linalg.LinAlgError:
            raise ConvergenceError("the surface of the cavity is singular") from None

    def amplitudes(self, moments: np.ndarray) -> np.ndarray:
        """(n_function, ...) c of the charges that screen moments (4 n_atom, ...), sign reversed."""
        on_functions = self.potential @ moments
        return np.asarray(
            scipy.linalg.cho_solve((self._factor, True), on_functions, check_finite=False)
        )

    def reaction(self, moments: np.ndarray) -> np.ndarray:
        """(n_atom, 4) potential K_1 q of the screening charges of a conductor."""
        return -(self.potential.T @ self.amplitudes(moments.ravel())).reshape(moments.shape)

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
        """(n_atom, 3) gradient of 1/2 q^T K_1 q at fixed moments (n_atom, 4) by the positions.

        That of 1/2 s A s - s B q at fixed c, of which it is the least value.
        """
        c = self.amplitudes(moments.ravel())
        density, potential = np.zeros((2, self.atom.size))  # of the charges, before the switch
        rows = self.functions[self.atom]
        n_function = np.diff(self.functions)[self.atom]
        for m, harmonic in enumerate(self.harmonics):
            known = n_function > m
            density[known] += c[rows[known] + m] * harmonic[known]
        s = self.areas * self.exposed * density
        out = np.zeros_like(self.positions)
        columns = np.ascontiguousarray(self.points.T)
        kernels.surface_energy(columns, self._first, self._balls, s, potential, out)
        kernels.moments_energy(self.points, self.atom, self.positions, moments, s, potential, out)
        potential += 0.5 * self._put_back * self.areas * density
        self._switch_adjoint(potential * s, out)
        return out

    def areas_adjoint(self, atom_areas_bar: np.ndarray) -> np.ndarray:
        """Adjoint of :attr:`atom_areas` by the positions, (n_atom, 3)."""
        out = np.zeros_like(self.positions)
        self._switch_adjoint(atom_areas_bar[self.atom] * self.areas * self.exposed, out)
        return out

    def _switch_adjoint(self, weights: np.ndarray, positions_bar: np.ndarray) -> None:
        """Add the gradient of sum_k weights_k ln F_k."""
        widths = _widths(self.radii, self.spacing)
        kernels.exposure_adjoint(
            self.points, self.atom, self.positions, self.radii, widths, weights, positions_bar
        )


def _widths(radii: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """(n_atom, n_atom) half widths of the switches of points of an atom by another sphere, bohr."""
    return np.minimum(WIDTH * spacing[:, None], CLOSEST * radii)


@lru_cache(maxsize=2)
def _sphere(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (3, n), weights (n,) of Lebedev's rule on the unit sphere, harmonics (9, n).

    Cartesian harmonics of equal norm for each l: 1; x y z; xy yz zx, (x^2 - y^2) / 2 and
    (3 z^2 - 1) / 12^1/2.
    """
    from scipy.integrate import lebedev_rule  # slow to import

    directions, weights = lebedev_rule(order)
    x, y, z = directions
    square = (3.0 * z * z - 1.0) / np.sqrt(12.0)
    second = [x * y, y * z, z * x, 0.5 * (x * x - y * y), square]
    return directions, weights, np.array([np.ones_like(x), x, y, z, *second])


def _known() -> str:
    return " ".join(symbol(z) for z in RADII)
