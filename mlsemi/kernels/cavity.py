"""Gaussian surface charges: their interaction with each other and with the moments of atoms."""

from math import erf, exp, pi, sqrt

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def smeared(zeta, r):
    """Interaction g = erf(zeta r) / r, its first and second derivative by r."""
    bell = 2.0 * zeta / sqrt(pi) * exp(-((zeta * r) ** 2))
    g = erf(zeta * r) / r
    first = (bell - g) / r
    return g, first, -2.0 * zeta**2 * bell - 2.0 * first / r


@kernel
def surface_matrix(points, zeta, diagonal):
    """A_kl = erf(z_kl r) / r with z_kl^-2 = z_k^-2 + z_l^-2, and the given diagonal."""
    n = zeta.size
    out = np.empty((n, n))
    for k in range(n):
        out[k, k] = diagonal[k]
        for l in range(k):
            x = points[k, 0] - points[l, 0]
            y = points[k, 1] - points[l, 1]
            z = points[k, 2] - points[l, 2]
            r = sqrt(x * x + y * y + z * z)
            both = zeta[k] * zeta[l] / sqrt(zeta[k] ** 2 + zeta[l] ** 2)
            out[k, l] = out[l, k] = erf(both * r) / r
    return out


@kernel
def surface_matrix_adjoint(points, zeta, charges, points_bar):
    """Add the gradient of 1/2 charges^T A charges, without the diagonal, by the points."""
    for k in range(zeta.size):
        for l in range(k):
            x = points[k, 0] - points[l, 0]
            y = points[k, 1] - points[l, 1]
            z = points[k, 2] - points[l, 2]
            r = sqrt(x * x + y * y + z * z)
            both = zeta[k] * zeta[l] / sqrt(zeta[k] ** 2 + zeta[l] ** 2)
            pull = charges[k] * charges[l] * smeared(both, r)[1] / r
            points_bar[k, 0] += pull * x
            points_bar[k, 1] += pull * y
            points_bar[k, 2] += pull * z
            points_bar[l, 0] -= pull * x
            points_bar[l, 1] -= pull * y
            points_bar[l, 2] -= pull * z


@kernel
def surface_potential(points, zeta, positions):
    """(n_point, n_atom, 4) potential at each point of a unit charge and of unit dipoles."""
    out = np.empty((zeta.size, len(positions), 4))
    for k in range(zeta.size):
        for i in range(len(positions)):
            d = points[k] - positions[i]
            r = sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
            g, first, _ = smeared(zeta[k], r)
            out[k, i, 0] = g
            for c in range(3):
                out[k, i, 1 + c] = -first / r * d[c]
    return out


@kernel
def surface_potential_adjoint(points, zeta, positions, moments, charges, points_bar, positions_bar):
    """Add the gradient of charges^T B moments, B of :func:`surface_potential`."""
    for k in range(zeta.size):
        for i in range(len(positions)):
            d = points[k] - positions[i]
            r = sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
            _, first, second = smeared(zeta[k], r)
            h, slope = -first / r, (first / r - second) / r
            along = moments[i, 1] * d[0] + moments[i, 2] * d[1] + moments[i, 3] * d[2]
            pull = (moments[i, 0] * first + along * slope) / r
            for c in range(3):
                bar = charges[k] * (pull * d[c] + h * moments[i, 1 + c])
                points_bar[k, c] += bar
                positions_bar[i, c] -= bar
