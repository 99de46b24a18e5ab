"""The part of an Ewald sum that is taken over images, and its adjoint."""

from math import erfc

import numpy as np

from mlsemi.kernels.jit import kernel

SLOPE = 2.0 / np.sqrt(np.pi)


@kernel
def screened(positions, translations, split, width, cutoff):
    """Symmetric (n, n) sums over images of erfc(split s) / s, s^2 = r^2 + width^2.

    No atom meets itself, but all its images. Images farther than ``cutoff`` are left out.
    """
    n = positions.shape[0]
    out = np.zeros((n, n))
    limit = cutoff * cutoff
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for t in range(translations.shape[0]):
                r2 = 0.0
                for x in range(3):
                    r2 += (positions[j, x] - positions[i, x] + translations[t, x]) ** 2
                if r2 < limit and (i != j or r2 > 0.0):
                    s = np.sqrt(r2 + width * width)
                    total += erfc(split * s) / s
            out[i, j] = total
            out[j, i] = total
    return out


@kernel
def screened_adjoint(positions, translations, split, width, cutoff, bar):
    """Adjoint of screened: positions_bar (n, 3), and strain_bar (3, 3) of r -> (1 + strain) r."""
    n = positions.shape[0]
    positions_bar = np.zeros((n, 3))
    strain_bar = np.zeros((3, 3))
    limit = cutoff * cutoff
    d = np.empty(3)
    for i in range(n):
        for j in range(i + 1):
            b = bar[i, j] + bar[j, i] if i != j else bar[i, i]
            for t in range(translations.shape[0]):
                r2 = 0.0
                for x in range(3):
                    d[x] = positions[j, x] - positions[i, x] + translations[t, x]
                    r2 += d[x] * d[x]
                if r2 < limit and (i != j or r2 > 0.0):
                    s2 = r2 + width * width
                    s = np.sqrt(s2)
                    slope = erfc(split * s) / s + SLOPE * split * np.exp(-split * split * s2)
                    for x in range(3):
                        d_bar = -b * slope / s2 * d[x]
                        positions_bar[j, x] += d_bar
                        positions_bar[i, x] -= d_bar
                        for y in range(3):
                            strain_bar[x, y] += d_bar * d[y]
    return positions_bar, strain_bar
