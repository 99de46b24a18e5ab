"""Many functions of one variable from a table of polynomial pieces, and the adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def splines(x, row, coefficients, step):
    """Values (n, n_function) at x >= 0 of the functions in table ``row[p]``; zero past the end.

    coefficients (n_table, n_piece, order + 1, n_function), ascending powers of the distance to the
    left end of a piece; all pieces have length ``step``.
    """
    n_piece, n_power, n_function = coefficients.shape[1:]
    out = np.zeros((x.size, n_function))
    for p in range(x.size):
        piece = int(x[p] / step)
        if piece >= n_piece:
            continue
        t = x[p] - piece * step
        c = coefficients[row[p], piece]
        for f in range(n_function):
            out[p, f] = c[n_power - 1, f]
        for k in range(n_power - 2, -1, -1):
            for f in range(n_function):
                out[p, f] = out[p, f] * t + c[k, f]
    return out


@kernel
def splines_adjoint(x, row, coefficients, step, out_bar):
    """Adjoint of splines: x_bar (n,)."""
    n_piece, n_power, n_function = coefficients.shape[1:]
    x_bar = np.zeros(x.size)
    slope = np.empty(n_function)
    for p in range(x.size):
        piece = int(x[p] / step)
        if piece >= n_piece:
            continue
        t = x[p] - piece * step
        c = coefficients[row[p], piece]
        slope[:] = 0.0
        for k in range(n_power - 1, 0, -1):
            for f in range(n_function):
                slope[f] = slope[f] * t + k * c[k, f]
        total = 0.0
        for f in range(n_function):
            total += slope[f] * out_bar[p, f]
        x_bar[p] = total
    return x_bar
