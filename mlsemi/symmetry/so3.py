"""Rotations: real spherical harmonics, real Clebsch-Gordan coefficients, coupling tables.

Real orthonormal harmonics without Condon-Shortley phase, m = -l..l, so l = 1 is (y, z, x).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import factorial, sqrt

import numpy as np

from mlsemi.molecule.structure import read_only

L_MAX = 2
N_HARMONIC = (L_MAX + 1) ** 2

XYZ = np.array([2, 0, 1])
"""Positions of x, y, z among the l = 1 components y, z, x."""

NATURAL_PATHS = tuple(
    (l1, l2, l)
    for l in range(L_MAX + 1)
    for l1 in range(L_MAX + 1)
    for l2 in range(L_MAX + 1)
    if abs(l1 - l2) <= l <= l1 + l2 and (l1 + l2 + l) % 2 == 0
)
"""Couplings (l1, l2) -> l of proper tensors to proper tensors, up to L_MAX."""


def components(l: int) -> slice:
    """Positions of the 2l+1 components of degree l in an array of all harmonics."""
    return slice(l * l, (l + 1) * (l + 1))


def _complex_clebsch_gordan(j1: int, m1: int, j2: int, m2: int, j: int, m: int) -> float:
    """<j1 m1 j2 m2 | j m> by Racah's formula (Edmonds 1957, eq 3.6.10)."""
    if m1 + m2 != m or not abs(j1 - j2) <= j <= j1 + j2:
        return 0.0
    f = factorial
    prefactor = sqrt(
        (2 * j + 1) * f(j + j1 - j2) * f(j - j1 + j2) * f(j1 + j2 - j) / f(j1 + j2 + j + 1)
    ) * sqrt(f(j + m) * f(j - m) * f(j1 - m1) * f(j1 + m1) * f(j2 - m2) * f(j2 + m2))
    total = 0.0
    for k in range(j1 + j2 - j + 1):
        terms = (k, j1 + j2 - j - k, j1 - m1 - k, j2 + m2 - k, j - j2 + m1 + k, j - j1 - m2 + k)
        if min(terms) >= 0:
            total += (-1) ** k / np.prod([float(f(t)) for t in terms])
    return float(prefactor * total)


def _real_from_complex(l: int) -> np.ndarray:
    """Unitary U with Y_real = U Y_complex (rows: real m = -l..l, columns: complex m)."""
    u = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    u[l, l] = 1.0
    for m in range(1, l + 1):
        u[l + m, l + m] = (-1) ** m / sqrt(2)
        u[l + m, l - m] = 1 / sqrt(2)
        u[l - m, l + m] = -1j * (-1) ** m / sqrt(2)
        u[l - m, l - m] = 1j / sqrt(2)
    return u


@cache
def clebsch_gordan(l1: int, l2: int, l: int) -> np.ndarray:
    """Real Clebsch-Gordan coefficients of theory eq 3.

    Returns
    -------
    (2 l1 + 1, 2 l2 + 1, 2 l + 1) array
        <l1 m1; l2 m2 | l m> between real harmonics, orthonormal in (m1, m2). For odd
        l1 + l2 + l it is the pseudo-tensor (cross-product-like) coupling.
    """
    table = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), dtype=complex)
    for m1 in range(-l1, l1 + 1):
        for m2 in range(-l2, l2 + 1):
            if abs(m1 + m2) <= l:
                table[l1 + m1, l2 + m2, l + m1 + m2] = _complex_clebsch_gordan(
                    l1, m1, l2, m2, l, m1 + m2
                )
    real = np.einsum(
        "am,bn,cp,mnp->abc",
        _real_from_complex(l1).conj(),
        _real_from_complex(l2).conj(),
        _real_from_complex(l),
        table,
    )
    part = real.real if (l1 + l2 + l) % 2 == 0 else real.imag
    return read_only(part)


@dataclass(frozen=True, eq=False)
class CouplingTable:
    """Non-zero Clebsch-Gordan coefficients of several coupling paths, flattened for a kernel.

    Attributes
    ----------
    paths : tuple of (l1, l2, l)
    entries : (n_entry, 4) int array
        Component of the first factor, of the second factor, and of the result, and the path; the
        first two count in arrays of all harmonics, the result starts at the offset of its path.
    coefficient : (n_entry,) array
    n_out : int
        Number of components of the result.
    """

    paths: tuple[tuple[int, int, int], ...]
    entries: np.ndarray
    coefficient: np.ndarray
    n_out: int

    @classmethod
    def of(cls, paths: tuple[tuple[int, int, int], ...], offsets: tuple[int, ...]) -> CouplingTable:
        """Table of the given paths; the result of path p starts at component ``offsets[p]``."""
        rows = []
        for index, ((l1, l2, l), offset) in enumerate(zip(paths, offsets, strict=True)):
            values = clebsch_gordan(l1, l2, l)
            for m1, m2, m in zip(*np.nonzero(np.abs(values) > 1e-12), strict=True):
                rows.append((l1 * l1 + m1, l2 * l2 + m2, offset + m, index, values[m1, m2, m]))
        entries = np.array([row[:4] for row in rows])
        coefficient = np.array([row[4] for row in rows])
        n_out = max(o + 2 * l + 1 for (_, _, l), o in zip(paths, offsets, strict=True))
        return cls(
            paths,
            read_only(entries, np.int64),
            read_only(coefficient),
            n_out,
        )
