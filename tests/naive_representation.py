"""Slow, obvious twins of the kernels of the representation; complex numbers pass through."""

import numpy as np
from naive import kind

from mlsemi.symmetry.so3 import clebsch_gordan


def legendre_derivative(l, m, z):
    """d^m P_l / dz^m from the coefficients of the polynomial."""
    series = np.polynomial.legendre.Legendre.basis(l).convert(kind=np.polynomial.Polynomial)
    return series.deriv(m)(z) if m else series(z)


def spherical(unit, norm):
    """N_lm P_l^(m)(z) Re or Im (x + i y)^m, by binomials so that complex x and y may pass."""
    x, y, z = np.asarray(unit).T
    columns = []
    for l in range(norm.shape[0]):
        for m in range(-l, l + 1):
            a = abs(m)
            terms = [
                np.real(1j ** (k if m >= 0 else k - 1)) * _choose(a, k) * x ** (a - k) * y**k
                for k in range(a + 1)
            ]
            columns.append(norm[l, a] * legendre_derivative(l, a, z) * sum(terms))
    return np.stack(columns, axis=1)


def _choose(n, k):
    return float(np.prod([(n - i) / (i + 1) for i in range(k)]))


def splines(x, row, coefficients, step):
    """Polynomial pieces, one function at a time; zero past the end."""
    out = np.zeros((len(x), coefficients.shape[3]), dtype=kind(x))
    for p, (one, table) in enumerate(zip(x, row, strict=True)):
        piece = int(np.real(one) // step)
        if piece < coefficients.shape[1]:
            powers = (one - piece * step) ** np.arange(coefficients.shape[2])
            out[p] = powers @ coefficients[table, piece]
    return out


def expand(first, channel, radial, sphere, n_atom, n_channel):
    """Theory eq 2, one degree after the other, flattened."""
    n_degree, n_radial = radial.shape[1:]
    parts = []
    for l in range(n_degree):
        part = np.zeros((n_atom, 2 * l + 1, n_channel), dtype=kind(radial, sphere))
        for p, (i, c) in enumerate(zip(first, channel, strict=True)):
            part[i, :, c : c + n_radial] += np.outer(sphere[p, l * l : (l + 1) ** 2], radial[p, l])
        parts.append(part.ravel())
    return np.concatenate(parts)


def product(a, b, first, second, degrees):
    """Theory eq 3 for chosen pairs of features."""
    return np.einsum("mno,xmp,xnp->xop", clebsch_gordan(*degrees), a[:, :, first], b[:, :, second])


def sum_even_gaussians(center, weight, even, odd, n_atom):
    """sum_t w_t (exp(-(even - odd) / 2) + exp(-(even + odd) / 2)) / 2 per center."""
    out = np.zeros((n_atom, even.shape[1]), dtype=kind(weight, even, odd))
    for t, i in enumerate(center):
        both = np.exp(-0.5 * (even[t] - odd[t])) + np.exp(-0.5 * (even[t] + odd[t]))
        out[i] += 0.5 * weight[t] * both
    return out
