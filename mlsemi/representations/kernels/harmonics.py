"""Real spherical harmonics of any degree and their adjoint.

Y_lm = N_lm P_l^(|m|)(z) times the real (m >= 0) or imaginary (m < 0) part of (x + i y)^|m|, where
P_l^(m) is the m-th derivative of the Legendre polynomial: polynomials of the unit vector, so the
derivative needs no division and no special case at the poles.
"""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def legendre_derivatives(z, q):
    """Fill q[l, m] = d^m P_l(z) / dz^m for m <= l + 1 (zero for m > l)."""
    n = q.shape[0]
    q[:] = 0.0
    q[0, 0] = 1.0
    for l in range(1, n):
        q[l, l] = (2 * l - 1) * q[l - 1, l - 1]
        for m in range(l):
            value = (2 * l - 1) * z * q[l - 1, m]
            if l > 1:
                value -= (l + m - 1) * q[l - 2, m]
            q[l, m] = value / (l - m)


@kernel
def spherical(unit, norm):
    """Harmonics (n, n_degree^2) of unit vectors; norm (n_degree, n_degree) holds N_lm."""
    n_degree = norm.shape[0]
    out = np.empty((unit.shape[0], n_degree * n_degree))
    q = np.empty((n_degree, n_degree + 1))
    for p in range(unit.shape[0]):
        x, y = unit[p, 0], unit[p, 1]
        legendre_derivatives(unit[p, 2], q)
        c, s = 1.0, 0.0
        for m in range(n_degree):
            for l in range(m, n_degree):
                value = norm[l, m] * q[l, m]
                out[p, l * l + l - m] = value * s
                out[p, l * l + l + m] = value * c
            c, s = x * c - y * s, x * s + y * c
    return out


@kernel
def spherical_adjoint(unit, norm, out_bar):
    """Adjoint of spherical (as polynomials of x, y, z): unit_bar (n, 3)."""
    n_degree = norm.shape[0]
    unit_bar = np.zeros_like(unit)
    q = np.empty((n_degree, n_degree + 1))
    for p in range(unit.shape[0]):
        x, y = unit[p, 0], unit[p, 1]
        legendre_derivatives(unit[p, 2], q)
        c, s = 1.0, 0.0
        below_c, below_s = 0.0, 0.0
        for m in range(n_degree):
            for l in range(m, n_degree):
                cos_bar = norm[l, m] * out_bar[p, l * l + l + m]
                sin_bar = norm[l, m] * out_bar[p, l * l + l - m] if m > 0 else 0.0
                flat = m * q[l, m]
                unit_bar[p, 0] += flat * (cos_bar * below_c + sin_bar * below_s)
                unit_bar[p, 1] += flat * (sin_bar * below_c - cos_bar * below_s)
                unit_bar[p, 2] += q[l, m + 1] * (cos_bar * c + sin_bar * s)
            below_c, below_s = c, s
            c, s = x * c - y * s, x * s + y * c
    return unit_bar
