"""Clebsch-Gordan products of chosen pairs of features, and the adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def product(a, b, first, second, table, coefficient, n_out):
    """out[x, m, p] = sum C a[x, m1, first[p]] b[x, m2, second[p]] (theory eq 3).

    table (n_entry, 3) holds m1, m2, m of the non-zero coefficients. The chosen features are
    gathered once per sample, so the loop over coefficients runs on contiguous memory.
    """
    n = first.size
    out = np.zeros((a.shape[0], n_out, n))
    left = np.empty((a.shape[1], n))
    right = np.empty((b.shape[1], n))
    for x in range(a.shape[0]):
        for m in range(a.shape[1]):
            for p in range(n):
                left[m, p] = a[x, m, first[p]]
        for m in range(b.shape[1]):
            for p in range(n):
                right[m, p] = b[x, m, second[p]]
        for e in range(coefficient.size):
            c, m1, m2, m = coefficient[e], table[e, 0], table[e, 1], table[e, 2]
            for p in range(n):
                out[x, m, p] += c * left[m1, p] * right[m2, p]
    return out


@kernel
def product_adjoint(a, b, first, second, table, coefficient, out_bar, a_bar, b_bar):
    """Adjoint of product; adds to a_bar and b_bar."""
    n = first.size
    left = np.empty((a.shape[1], n))
    right = np.empty((b.shape[1], n))
    left_bar = np.empty((a.shape[1], n))
    right_bar = np.empty((b.shape[1], n))
    for x in range(a.shape[0]):
        left_bar[:] = 0.0
        right_bar[:] = 0.0
        for m in range(a.shape[1]):
            for p in range(n):
                left[m, p] = a[x, m, first[p]]
        for m in range(b.shape[1]):
            for p in range(n):
                right[m, p] = b[x, m, second[p]]
        for e in range(coefficient.size):
            c, m1, m2, m = coefficient[e], table[e, 0], table[e, 1], table[e, 2]
            for p in range(n):
                g = c * out_bar[x, m, p]
                left_bar[m1, p] += g * right[m2, p]
                right_bar[m2, p] += g * left[m1, p]
        for m in range(a.shape[1]):
            for p in range(n):
                a_bar[x, m, first[p]] += left_bar[m, p]
        for m in range(b.shape[1]):
            for p in range(n):
                b_bar[x, m, second[p]] += right_bar[m, p]
