"""D4's triples of an atom and two images of atoms, with their slopes."""

from math import sqrt

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def triples_of_images(start, second, vector, squared, c6, radius, reach, width):
    """Energy of all triples of a cell, every one met at each of its three atoms.

    u_ij u_jk u_ki (1 + 3 cos cos cos) / (1 + 6 h_ij h_jk h_ki), u = C6^1/2 fade / r^3 and
    h = (R / r)^(16/3), as `kernels/dispersion.py` has it.

    Parameters
    ----------
    start, second : arrays
        Directed pairs of atom i are start[i] to start[i + 1]; second is the atom of the image.
    vector, squared : (start[-1], 3), (start[-1],) arrays
    c6, radius : (n, n) arrays
    reach, width : float
        Where a triple ends, and the width in which it fades out.

    Returns
    -------
    energy : float
    slope : (start[-1],) array
        Derivative by the squared distance of a pair, half of it from either of its ends.
    share : (start[-1],) array
        Derivative by the C6 of a pair, likewise.
    """
    m = second.size
    energy, slope, share = 0.0, np.zeros(m), np.zeros(m)
    u, steep = np.empty(m), np.empty(m)
    limit = reach * reach
    for p in range(m):
        u[p], steep[p] = faded(squared[p], reach, width)
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            j, ij = second[p], squared[p]
            for q in range(p + 1, start[i + 1]):
                jk = 0.0
                for x in range(3):
                    jk += (vector[q, x] - vector[p, x]) ** 2
                if jk >= limit:
                    continue
                k, ik = second[q], squared[q]
                u_jk, _ = faded(jk, reach, width)
                weight = u[p] * u[q] * u_jk * sqrt(c6[i, j] * c6[i, k] * c6[j, k])
                size = sqrt(ij * ik * jk)
                t = radius[i, j] * radius[i, k] * radius[j, k] / size
                damped = 6.0 * t**5 * np.cbrt(t)
                one, two, three = ij + ik - jk, ij + jk - ik, ik + jk - ij
                x, y, z = two * three, one * three, one * two
                turn = 0.375 / (size * size)
                inverse = 1.0 / (1.0 + damped)
                angle = turn * one * x
                e = weight * (1.0 + angle) * inverse
                energy += e / 3.0
                common = 8.0 / 3.0 * damped * inverse * e - weight * angle * inverse
                turn *= weight * inverse
                slope[p] += 0.5 * ((common + turn * ij * (x + y - z)) / ij + e * steep[p])
                slope[q] += 0.5 * ((common + turn * ik * (x + z - y)) / ik + e * steep[q])
                share[p] += 0.25 * e / c6[i, j]
                share[q] += 0.25 * e / c6[i, k]
    return energy, slope, share


@kernel
def faded(r2, reach, width):
    """Fade (of numbers, not arrays) / r^3, and its logarithmic derivative by the squared r."""
    r = sqrt(r2)
    t = min((reach - r) / width, 1.0)
    fade = t * t * t * (10.0 + t * (6.0 * t - 15.0))
    steep = -1.5 / r2
    if t < 1.0:
        steep -= 15.0 * t * t * (1.0 - t) ** 2 / (width * r * fade)
    return fade / (r2 * r), steep
