"""Clebsch-Gordan products of chosen pairs of features, and the adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def gather(value, chosen, out):
    """Columns ``chosen`` of value (n, m): what the coefficients then meet in contiguous memory."""
    for m in range(value.shape[0]):
        for p in range(chosen.size):
            out[m, p] = value[m, chosen[p]]


@kernel
def scatter(out_bar, chosen, value_bar):
    """Adjoint of gather; adds to value_bar."""
    for m in range(value_bar.shape[0]):
        for p in range(chosen.size):
            value_bar[m, chosen[p]] += out_bar[m, p]


@kernel
def product(a, b, first, second, table, coefficient, n_out):
    """out[x, m, p] = sum C a[x, m1, first[p]] b[x, m2, second[p]] (theory eq 3).

    table (n_entry, 3) holds m1, m2, m of the non-zero coefficients.
    """
    n = first.size
    out = np.zeros((a.shape[0], n_out, n))
    left, right = np.empty((a.shape[1], n)), np.empty((b.shape[1], n))
    for x in range(a.shape[0]):
        gather(a[x], first, left)
        gather(b[x], second, right)
        for e in range(coefficient.size):
            c, m1, m2, m = coefficient[e], table[e, 0], table[e, 1], table[e, 2]
            for p in range(n):
                out[x, m, p] += c * left[m1, p] * right[m2, p]
    return out


@kernel
def product_adjoint(a, b, first, second, table, coefficient, out_bar, a_bar, b_bar):
    """Adjoint of product; adds to a_bar and b_bar."""
    n = first.size
    left, right = np.empty((a.shape[1], n)), np.empty((b.shape[1], n))
    left_bar, right_bar = np.empty_like(left), np.empty_like(right)
    for x in range(a.shape[0]):
        gather(a[x], first, left)
        gather(b[x], second, right)
        left_bar[:] = 0.0
        right_bar[:] = 0.0
        for e in range(coefficient.size):
            c, m1, m2, m = coefficient[e], table[e, 0], table[e, 1], table[e, 2]
            for p in range(n):
                g = c * out_bar[x, m, p]
                left_bar[m1, p] += g * right[m2, p]
                right_bar[m2, p] += g * left[m1, p]
        scatter(left_bar, first, a_bar[x])
        scatter(right_bar, second, b_bar[x])
