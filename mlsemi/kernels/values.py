"""Atomic orbitals at points in space."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def orbital_values(
    points: np.ndarray,
    positions: np.ndarray,
    species: np.ndarray,
    offset: np.ndarray,
    exponents: np.ndarray,
    coefficients: np.ndarray,
    reach: float,
    values: np.ndarray,
) -> None:
    """Values of all orbitals at ``points`` (n, 3), into ``values`` (n, n_orbital), zeros before.

    phi = Y_lm(d) sum_k c_k exp(-a_k d^2) with Y = 1 for s and y, z, x for p; ``exponents``
    (n_species, n_primitive), ``coefficients`` (n_species, 2, n_primitive). Primitives with
    a d^2 > ``reach`` are left out.
    """
    for i in range(points.shape[0]):
        for atom in range(positions.shape[0]):
            x = points[i, 0] - positions[atom, 0]
            y = points[i, 1] - positions[atom, 1]
            z = points[i, 2] - positions[atom, 2]
            square = x * x + y * y + z * z
            row, first = species[atom], offset[atom]
            s, p = 0.0, 0.0
            for k in range(exponents.shape[1]):
                a = exponents[row, k] * square
                if a < reach:
                    e = np.exp(-a)
                    s += coefficients[row, 0, k] * e
                    p += coefficients[row, 1, k] * e
            values[i, first] = s
            if offset[atom + 1] - first > 1:
                values[i, first + 1] = y * p
                values[i, first + 2] = z * p
                values[i, first + 3] = x * p
