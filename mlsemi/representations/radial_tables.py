"""Radial functions R_nl(r) of any kind, tabulated once and evaluated as splines.

Whatever the functions are (delta or smeared densities, orthonormal, contracted), they cost the
same: one polynomial of degree five per function, with four continuous derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import factorial

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.special import gamma, ive

from mlsemi.errors import InputError
from mlsemi.molecule.structure import read_only
from mlsemi.representations.kernels.splines import splines, splines_adjoint
from mlsemi.symmetry.radial import RadialBasis

DEGREE = 5
MAX_PIECES = 8192
N_QUADRATURE = 200


@dataclass(frozen=True)
class ShiftedCosine:
    """f(r) = 1 up to r_c - w, then (1 + cos(pi (r - r_c + w) / w)) / 2, and 0 past r_c.

    The usual cutoff function of density-based descriptors. Its second derivative jumps, so it
    stands beside a table and is not part of it.

    Attributes
    ----------
    cutoff : float
        r_c, bohr.
    width : float
        w, bohr, at most r_c.

    Raises
    ------
    InputError
        For a width that is not between 0 and the cutoff.
    """

    cutoff: float
    width: float

    def __post_init__(self) -> None:
        if not 0.0 < self.width <= self.cutoff:
            raise InputError(f"width {self.width} of a cutoff function: need 0 to {self.cutoff}")

    def _phase(self, r: np.ndarray) -> np.ndarray:
        return np.pi * np.clip((r - self.cutoff) / self.width + 1.0, 0.0, 1.0)

    def __call__(self, r: np.ndarray) -> np.ndarray:
        """f(r) of any array of distances."""
        return 0.5 * (1.0 + np.cos(self._phase(r)))

    def slope(self, r: np.ndarray) -> np.ndarray:
        """df/dr."""
        return -0.5 * np.pi / self.width * np.sin(self._phase(r))


@dataclass(frozen=True, eq=False)
class RadialTable:
    """R_nl(r) for l < n_degree, zero past the end of the table.

    Attributes
    ----------
    coefficients : (n_table, n_piece, 6, n_degree * n_radial) array
        Ascending powers of the distance to the left end of a piece; one table per species of
        neighbours, or one for all.
    n_degree : int
    end : float
        Where the table ends (the cutoff), bohr.
    envelope : ShiftedCosine, optional
        A factor of all functions that is not in the table.
    """

    coefficients: np.ndarray
    n_degree: int
    end: float
    envelope: ShiftedCosine | None = None

    @classmethod
    def of(
        cls, function: Callable[[np.ndarray], np.ndarray], end: float, accuracy: float = 1e-9
    ) -> RadialTable:
        """Tabulate ``function(r) -> (n, n_degree, n_radial)`` on [0, end].

        Parameters
        ----------
        function : callable
        end : float
            Bohr; the functions should vanish there with two derivatives.
        accuracy : float
            Largest error between the nodes, as a fraction of the largest value.

        Raises
        ------
        InputError
            For functions too rough to reach the accuracy.
        """
        n_piece = 32
        while n_piece <= MAX_PIECES:
            x = np.linspace(0.0, end, n_piece + 1)
            values = function(x)
            spline = make_interp_spline(x, values.reshape(x.size, -1), k=DEGREE)
            middle = 0.5 * (x[1:] + x[:-1])
            error = np.abs(spline(middle) - function(middle).reshape(n_piece, -1)).max()
            if error <= accuracy * np.abs(values).max():
                powers = [spline(x[:-1], nu=k) / factorial(k) for k in range(DEGREE + 1)]
                table = np.stack(powers, axis=1)[None]
                return cls(read_only(table), values.shape[1], end)
            n_piece *= 2
        raise InputError(
            f"the radial functions are too rough: {MAX_PIECES} pieces leave an error of {error:.1e}"
        )

    @property
    def n_radial(self) -> int:
        """Functions per degree."""
        return self.coefficients.shape[3] // self.n_degree

    def _row(self, species: np.ndarray) -> np.ndarray:
        return species if self.coefficients.shape[0] > 1 else np.zeros_like(species)

    @property
    def _step(self) -> float:
        return self.end / self.coefficients.shape[1]

    def __call__(self, distance: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Values (n_pair, n_degree, n_radial) for neighbours of the given species."""
        flat = splines(distance, self._row(species), self.coefficients, self._step)
        if self.envelope is not None:
            flat *= self.envelope(distance)[:, None]
        return flat.reshape(distance.size, self.n_degree, self.n_radial)

    def adjoint(self, distance: np.ndarray, species: np.ndarray, out_bar: np.ndarray) -> np.ndarray:
        """dL/d distance (n_pair,)."""
        flat = np.ascontiguousarray(out_bar).reshape(distance.size, self.coefficients.shape[3])
        table = self._row(species), self.coefficients, self._step
        if self.envelope is None:
            return splines_adjoint(distance, *table, flat)
        inside = np.einsum("pf,pf->p", splines(distance, *table), flat)
        flat = self.envelope(distance)[:, None] * flat
        return splines_adjoint(distance, *table, flat) + self.envelope.slope(distance) * inside

    def contracted(self, maps: np.ndarray) -> RadialTable:
        """Table of sum_n R_nl(r) U^(a l)_nq, as cheap as a table of q primitive functions.

        Parameters
        ----------
        maps : (n_species, n_degree, n_radial, n_contracted) array
        """
        shape = (*self.coefficients.shape[:3], self.n_degree, self.n_radial)
        table = np.broadcast_to(self.coefficients.reshape(shape), (maps.shape[0], *shape[1:]))
        mixed = np.einsum("apkln,alnq->apklq", table, maps)
        return replace(self, coefficients=read_only(mixed.reshape(*mixed.shape[:3], -1)))


def quadrature(end: float, n: int = N_QUADRATURE) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre points and weights, with r^2 in the weights, on [0, end]."""
    t, w = np.polynomial.legendre.leggauss(n)
    x = 0.5 * end * (t + 1.0)
    return x, 0.5 * end * w * x**2


def orthonormal(basis: RadialBasis) -> np.ndarray:
    """(n_radial, n_radial) matrix that makes int R_n R_n' r^2 dr = delta out of the basis."""
    x, w = quadrature(basis.cutoff)
    values = basis(x)[0]
    s, u = np.linalg.eigh(values.T @ (w[:, None] * values))
    return (u / np.sqrt(s)) @ u.T


def point_functions(basis: RadialBasis, n_degree: int) -> RadialTable:
    """R_n(r) of a density of points, orthonormal, the same for every degree.

    Parameters
    ----------
    basis : RadialBasis
    n_degree : int
    """
    matrix = orthonormal(basis)

    def values(r: np.ndarray) -> np.ndarray:
        return np.repeat((basis(r)[0] @ matrix)[:, None, :], n_degree, axis=1)

    return RadialTable.of(values, basis.cutoff)


def envelope_only(cutoff: float, n_degree: int) -> RadialTable:
    """One function for every degree, the cutoff function itself."""
    basis = RadialBasis(2, cutoff)
    return RadialTable.of(lambda r: np.repeat(basis(r)[1][:, None, None], n_degree, axis=1), cutoff)


def gaussian_orbitals(
    cutoff: float, n_radial: int, n_degree: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Orthonormal combinations of x^n exp(-x^2 / 2 s_n^2), s_n = cutoff max(n^1/2, 1) / n_radial.

    A basis R_n(x), n = 0 .. n_radial - 1, for :func:`smeared_functions`, the same for every degree,
    orthonormal over 0 .. infinity; the common choice of density-based descriptors.
    """
    n = np.arange(n_radial)
    width = cutoff * np.maximum(np.sqrt(n), 1.0) / n_radial
    norm = np.sqrt(2.0 / (width ** (2 * n + 3) * gamma(n + 1.5)))
    exponent = 0.5 / width**2
    power = n[:, None] + n + 3
    overlap = 0.5 * gamma(0.5 * power) / (exponent[:, None] + exponent) ** (0.5 * power)
    values, vectors = np.linalg.eigh(overlap * norm[:, None] * norm)
    mix = norm[:, None] * (vectors / np.sqrt(values)) @ vectors.T

    def functions(x: np.ndarray) -> np.ndarray:
        primitive = x[:, None] ** n * np.exp(-exponent * x[:, None] ** 2)
        return np.repeat((primitive @ mix)[:, None, :], n_degree, axis=1)

    return functions


def smeared_functions(
    functions: Callable[[np.ndarray], np.ndarray],
    cutoff: float,
    n_degree: int,
    width: float,
    envelope: ShiftedCosine | Callable[[np.ndarray], np.ndarray],
) -> RadialTable:
    """R_nl(r) of a density of Gaussians exp(-|x|^2 / 2 w^2) / (2 pi w^2)^3/2 on the neighbours.

    R_nl(r) = f(r) 4 pi (2 pi w^2)^-3/2 int R_nl(x) exp(-(r^2 + x^2) / 2 w^2) i_l(r x / w^2) x^2 dx
    (Bartok, Kondor, Csanyi, Phys. Rev. B 87, 184115 (2013)).

    Parameters
    ----------
    functions : callable
        ``functions(x) -> (n, n_degree, n_radial)``, the basis R_nl(x).
    cutoff : float
        Bohr.
    n_degree : int
    width : float
        w, bohr.
    envelope : ShiftedCosine or callable
        f, which takes every function to zero at the cutoff. A callable goes into the table, so it
        must be smooth.
    """
    x, w = quadrature(cutoff + 8.0 * width)
    basis = functions(x)

    def values(r: np.ndarray) -> np.ndarray:
        z = np.outer(r, x) / width**2
        gauss = np.exp(-((r[:, None] - x) ** 2) / (2.0 * width**2)) / (2.0 * np.pi) ** 1.5
        parts = []
        for l in range(n_degree):
            bessel = np.where(z > 0.0, _scaled_bessel(l, np.maximum(z, 1e-8)), float(l == 0))
            field = 4.0 * np.pi / width**3 * gauss * bessel
            parts.append(field @ (w[:, None] * basis[:, l]))
        return np.stack(parts, axis=1)

    if isinstance(envelope, ShiftedCosine):
        return replace(RadialTable.of(values, cutoff), envelope=envelope)
    return RadialTable.of(lambda r: envelope(r)[:, None, None] * values(r), cutoff)


def _scaled_bessel(l: int, z: np.ndarray) -> np.ndarray:
    """exp(-z) i_l(z), the modified spherical Bessel function."""
    return np.sqrt(0.5 * np.pi / z) * ive(l + 0.5, z)
