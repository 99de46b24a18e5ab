"""Radial functions of potentials: what the density far away looks like around an atom.

With them an :class:`Expansion` gives long-distance equivariants V_i: the density of the neighbours
is replaced by its potential 1/r^p and expanded in a sphere around atom i. All pairs of a finite
system are summed directly; there is no box. Crystals need :class:`Potential`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import eval_gegenbauer, eval_legendre, gamma, gammainc

from mlsemi.errors import InputError
from mlsemi.representations.radial_tables import RadialTable, quadrature

N_SHELL, N_ANGLE = 80, 100
N_SERIES = 24
FAR = 3.0
"""Distance, in radii of the sphere, past which the multipole series is exact to rounding."""


def smeared_power(r: np.ndarray, power: int, width: float) -> np.ndarray:
    """Potential P(p/2, r^2 / 2 w^2) / r^p: finite at r = 0, 1/r^p outside.

    P is the regularised incomplete gamma function; p = 1 is erf(r / sqrt(2) w) / r, the potential
    of a Gaussian charge (Huguenin-Dumittan, Loche, Haoran, Ceriotti, J. Phys. Chem. Lett. 14, 9612
    (2023)).

    Parameters
    ----------
    r : (...) array
        Bohr.
    power : int
    width : float
        w, bohr.
    """
    a = 0.5 * power
    x = 0.5 * (r / width) ** 2
    center = (1.0 - a * x / (a + 1.0)) / ((2.0 * width**2) ** a * gamma(a + 1.0))
    safe = np.maximum(x, 1e-7)
    outside = gammainc(a, safe) / (2.0 * width**2 * safe) ** a
    return np.where(x < 1e-7, center, outside)


def monomials(cutoff: float, n_degree: int) -> Callable[[np.ndarray], np.ndarray]:
    """x^l, normalised in the sphere: all that the field of a far charge (p = 1) can be inside."""
    l = np.arange(n_degree)

    def values(x: np.ndarray) -> np.ndarray:
        return (np.sqrt((2 * l + 3) / cutoff**3) * (x[:, None] / cutoff) ** l)[:, :, None]

    return values


@dataclass(frozen=True, eq=False)
class LongRangeTable:
    """R_nl(r) of a potential 1/r^p at any distance: s^(p+l) times a table in s = 1 / (r + a).

    Attributes
    ----------
    scaled : RadialTable
        R_nl(r) (r + a)^(p + l), smooth up to infinite distance, s = 0.
    power : int
        p.
    scale : float
        a, bohr.
    """

    scaled: RadialTable
    power: int
    scale: float

    @classmethod
    def of(
        cls,
        power: int,
        cutoff: float,
        n_degree: int,
        width: float,
        functions: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> LongRangeTable:
        """Tabulate R_nl(r) = int_0^rc x^2 dx R_nl(x) 2 pi int_-1^1 P_l(c) v(|x - r|) dc.

        v is the smeared potential, |x - r|^2 = x^2 + r^2 - 2 x r c (Funk-Hecke theorem); past
        three radii its Gegenbauer series takes over.

        Parameters
        ----------
        power : int
            p.
        cutoff : float
            Radius of the sphere, bohr.
        n_degree : int
        width : float
            Of the smeared atoms, bohr.
        functions : callable, optional
            Basis R_nl(x) inside the sphere, (n, n_degree, n_radial); :func:`monomials` without.

        Raises
        ------
        InputError
            For atoms too wide for the sphere.
        """
        if width > 0.25 * cutoff:
            raise InputError(f"width {width:g} of the atoms exceeds a quarter of the sphere")
        basis = functions or monomials(cutoff, n_degree)
        near = _quadrature_functions(
            lambda r: smeared_power(r, power, width), (FAR + 1.0) * cutoff, cutoff, basis
        )
        far = _series_functions(power, cutoff, n_degree, basis)
        scale = 0.5 * cutoff

        def values(s: np.ndarray) -> np.ndarray:
            inverse = s / np.maximum(1.0 - scale * s, 1e-12)
            out = far(np.minimum(inverse, 1.0 / (FAR * cutoff)))
            out *= (1.0 + scale * inverse[:, None, None]) ** (power + np.arange(n_degree))[:, None]
            close = inverse > 1.0 / (FAR * cutoff)
            r = np.maximum(1.0 / s[close] - scale, 0.0)
            rise = (r[:, None] + scale) ** (power + np.arange(n_degree))
            out[close] = near(r) * rise[:, :, None]
            return out

        return cls(RadialTable.of(values, 1.0 / scale), power, scale)

    @property
    def n_degree(self) -> int:
        """Degrees l < n_degree."""
        return self.scaled.n_degree

    @property
    def n_radial(self) -> int:
        """Functions per degree."""
        return self.scaled.n_radial

    @property
    def end(self) -> float:
        """Potentials reach everywhere."""
        return np.inf

    def _tail(self, s: np.ndarray, lower: int = 0) -> np.ndarray:
        """s^(p + l - lower), (n_pair, n_degree, 1)."""
        return s[:, None, None] ** (self.power + np.arange(self.n_degree) - lower)[:, None]

    def __call__(self, distance: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Values (n_pair, n_degree, n_radial)."""
        s = 1.0 / (distance + self.scale)
        return self.scaled(s, species) * self._tail(s)

    def adjoint(self, distance: np.ndarray, species: np.ndarray, out_bar: np.ndarray) -> np.ndarray:
        """dL/d distance (n_pair,)."""
        s = 1.0 / (distance + self.scale)
        s_bar = self.scaled.adjoint(s, species, out_bar * self._tail(s))
        slope = (self.power + np.arange(self.n_degree))[:, None] * self._tail(s, 1)
        s_bar += (out_bar * self.scaled(s, species) * slope).sum(axis=(1, 2))
        return -(s**2) * s_bar

    def contracted(self, maps: np.ndarray) -> LongRangeTable:
        """Functions mixed per species and degree; see :meth:`RadialTable.contracted`."""
        return LongRangeTable(self.scaled.contracted(maps), self.power, self.scale)


def smeared_difference(
    power: int,
    cutoff: float,
    n_degree: int,
    widths: tuple[float, float],
    reach: float,
    functions: Callable[[np.ndarray], np.ndarray] | None = None,
) -> RadialTable:
    """Table of what two widths of the smeared atoms differ by, zero beyond the sphere and a reach.

    Parameters
    ----------
    power : int
        p.
    cutoff : float
        Radius of the sphere, bohr.
    n_degree : int
    widths : (float, float)
        The narrow one and the wide one, bohr.
    reach : float
        Where the difference of the two potentials has vanished, bohr.
    functions : callable, optional
        Basis R_nl(x) inside the sphere, (n, n_degree, n_radial); :func:`monomials` without.
    """

    def potential(r: np.ndarray) -> np.ndarray:
        narrow, wide = (smeared_power(r, power, width) for width in widths)
        return narrow - wide

    basis = functions or monomials(cutoff, n_degree)
    end = cutoff + reach
    return RadialTable.of(_quadrature_functions(potential, end + cutoff, cutoff, basis), end)


def _quadrature_functions(
    potential: Callable[[np.ndarray], np.ndarray],
    end: float,
    cutoff: float,
    basis: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """R_nl(r) of a potential that is known up to ``end``, by quadrature over the sphere."""
    table = RadialTable.of(lambda r: potential(r)[:, None, None], end, 1e-13)
    x, w = quadrature(cutoff, N_SHELL)
    c, w_angle = np.polynomial.legendre.leggauss(N_ANGLE)
    weighted = w[:, None, None] * basis(x)
    degrees = np.arange(weighted.shape[1])[:, None]
    legendre = 2.0 * np.pi * w_angle * eval_legendre(degrees, c)

    def values(r: np.ndarray) -> np.ndarray:
        out = np.empty((r.size, *weighted.shape[1:]))
        for n, one in enumerate(r):
            square = x[:, None] ** 2 + one**2 - 2.0 * one * x[:, None] * c
            distance = np.sqrt(np.maximum(square, 0.0)).ravel()
            field = table(distance, np.zeros(distance.size, np.int64)).reshape(square.shape)
            out[n] = np.einsum("lx,xln->ln", legendre @ field.T, weighted)
        return out

    return values


def _series_functions(
    power: int, cutoff: float, n_degree: int, basis: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """R_nl(r) r^(p + l) as a function of 1/r, from sum_k C_k^(p/2)(c) x^k / r^(k + p)."""
    x, w = quadrature(cutoff, N_SHELL)
    c, w_angle = np.polynomial.legendre.leggauss(N_ANGLE)
    values = basis(x)
    terms = np.zeros((N_SERIES, *values.shape[1:]))
    for l in range(n_degree):
        for j in range(N_SERIES):
            k = l + 2 * j
            angular = 2.0 * np.pi * w_angle * eval_legendre(l, c)
            weight = angular @ eval_gegenbauer(k, 0.5 * power, c)
            terms[j, l] = weight * ((w * (x / cutoff) ** k) @ values[:, l]) * cutoff**l

    def sums(inverse: np.ndarray) -> np.ndarray:
        powers = (cutoff * inverse[:, None]) ** (2 * np.arange(N_SERIES))
        return np.einsum("rj,jln->rln", powers, terms)

    return sums
