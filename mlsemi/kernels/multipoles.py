"""Interaction of Gaussian charges and dipoles on atoms, half of it on either atom, and its adjoint.

With R = r_j - r_i, k^2 = 1 / (a_i + a_j) of squared widths a, B_0 = erf(k r) / r and
B_(n+1) = -(1/r) dB_n/dr,

    e = q_i q_j B_0 + (q_j (mu_i.R) - q_i (mu_j.R) + mu_i.mu_j) B_1 - (mu_i.R) (mu_j.R) B_2
"""

from math import erf

import numpy as np

from mlsemi.kernels.jit import kernel

ROOT = 2.0 / np.sqrt(np.pi)


@kernel
def radial_functions(r2, width2):
    """B_0 to B_3 at distance r, squared width a_i + a_j."""
    r, k2 = np.sqrt(r2), 1.0 / width2
    k = np.sqrt(k2)
    g = ROOT * k * np.exp(-k2 * r2)
    b0 = erf(k * r) / r
    b1 = (b0 - g) / r2
    g *= 2.0 * k2
    b2 = (3.0 * b1 - g) / r2
    b3 = (5.0 * b2 - 2.0 * k2 * g) / r2
    return b0, b1, b2, b3


@kernel
def dot(a, b):
    """Of the vectors behind the first element."""
    return a[1] * b[1] + a[2] * b[2] + a[3] * b[3]


@kernel
def along(a, x, y, z):
    """Component of the vector behind the first element of a, (4,)."""
    return a[1] * x + a[2] * y + a[3] * z


@kernel
def interaction(a, b, x, y, z, width2):
    """E of moments a at i and b at j, (4,) each, and R = (x, y, z)."""
    b0, b1, b2, _ = radial_functions(x * x + y * y + z * z, width2)
    p, q = along(a, x, y, z), along(b, x, y, z)
    return a[0] * b[0] * b0 + (b[0] * p - a[0] * q + dot(a, b)) * b1 - p * q * b2


@kernel
def interaction_adjoint(a, b, x, y, z, width2, bar, a_bar, b_bar):
    """Adds bar de to the cotangents of both moments; returns e and bar de/dR."""
    b0, b1, b2, b3 = radial_functions(x * x + y * y + z * z, width2)
    p, q = along(a, x, y, z), along(b, x, y, z)
    linear = b[0] * p - a[0] * q + dot(a, b)
    a_bar[0] += bar * (b[0] * b0 - q * b1)
    b_bar[0] += bar * (a[0] * b0 + p * b1)
    r = (x, y, z)
    for c in range(3):
        a_bar[c + 1] += bar * ((b[0] * r[c] + b[c + 1]) * b1 - r[c] * q * b2)
        b_bar[c + 1] += bar * ((a[c + 1] - a[0] * r[c]) * b1 - r[c] * p * b2)
    radial = p * q * b3 - a[0] * b[0] * b1 - linear * b2
    slope = (
        bar * (radial * x + (b[0] * a[1] - a[0] * b[1]) * b1 - (a[1] * q + p * b[1]) * b2),
        bar * (radial * y + (b[0] * a[2] - a[0] * b[2]) * b1 - (a[2] * q + p * b[2]) * b2),
        bar * (radial * z + (b[0] * a[3] - a[0] * b[3]) * b1 - (a[3] * q + p * b[3]) * b2),
    )
    return a[0] * b[0] * b0 + linear * b1 - p * q * b2, slope


@kernel
def add_all_pairs(positions, blocks, squared, part, moments, energies):
    """Adds the energies (n_atom,) of pairs of different parts in blocks (n, 2), begin and end."""
    for s in range(blocks.shape[0]):
        for i in range(blocks[s, 0], blocks[s, 1]):
            for j in range(i + 1, blocks[s, 1]):
                if part[i] == part[j]:
                    continue
                x = positions[j, 0] - positions[i, 0]
                y = positions[j, 1] - positions[i, 1]
                z = positions[j, 2] - positions[i, 2]
                e = 0.5 * interaction(moments[i], moments[j], x, y, z, squared[i] + squared[j])
                energies[i] += e
                energies[j] += e


@kernel
def add_all_pairs_adjoint(
    positions, blocks, squared, part, moments, energies_bar, moments_bar, positions_bar
):
    """Adjoint of add_all_pairs; adds to the last two."""
    for s in range(blocks.shape[0]):
        for i in range(blocks[s, 0], blocks[s, 1]):
            for j in range(i + 1, blocks[s, 1]):
                if part[i] == part[j]:
                    continue
                x = positions[j, 0] - positions[i, 0]
                y = positions[j, 1] - positions[i, 1]
                z = positions[j, 2] - positions[i, 2]
                bar, width2 = 0.5 * (energies_bar[i] + energies_bar[j]), squared[i] + squared[j]
                _, slope = interaction_adjoint(
                    moments[i], moments[j], x, y, z, width2, bar, moments_bar[i], moments_bar[j]
                )
                for c in range(3):
                    positions_bar[j, c] += slope[c]
                    positions_bar[i, c] -= slope[c]


@kernel
def add_chosen_pairs(first, second, vectors, squared, moments, share, energies):
    """Adds the energies of pairs with vectors (n, 3), times ``share`` (n,)."""
    for p in range(first.size):
        i, j = first[p], second[p]
        x, y, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
        e = interaction(moments[i], moments[j], x, y, z, squared[i] + squared[j])
        energies[i] += 0.5 * share[p] * e
        energies[j] += 0.5 * share[p] * e


@kernel
def add_chosen_pairs_adjoint(
    first,
    second,
    vectors,
    squared,
    moments,
    share,
    energies_bar,
    moments_bar,
    vectors_bar,
    share_bar,
):
    """Adjoint of add_chosen_pairs; adds to the last three."""
    for p in range(first.size):
        i, j = first[p], second[p]
        x, y, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
        half, width2 = 0.5 * (energies_bar[i] + energies_bar[j]), squared[i] + squared[j]
        e, slope = interaction_adjoint(
            moments[i],
            moments[j],
            x,
            y,
            z,
            width2,
            half * share[p],
            moments_bar[i],
            moments_bar[j],
        )
        share_bar[p] += half * e
        for c in range(3):
            vectors_bar[p, c] += slope[c]
