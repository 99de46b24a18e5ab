"""Interaction of Gaussian multipoles on atoms, half of it on either atom, and its adjoint.

Ten numbers on every atom, q, mu_x, mu_y, mu_z, T_xx, T_xy, T_xz, T_yy, T_yz, T_zz, of the operator
q + mu.d + T:dd with T traceless. With R = r_j - r_i, k^2 = 1 / (a_i + a_j) of squared widths a,
B_0 = erf(k r) / r and B_(n+1) = -(1/r) dB_n/dr,

    e = q_i q_j B_0 + (q_j m_i - q_i m_j + mu_i.mu_j) B_1
        + (q_i t_j + q_j t_i - m_i m_j + 2 mu_j.v_i - 2 mu_i.v_j + 2 T_i:T_j) B_2
        + (m_i t_j - m_j t_i - 4 v_i.v_j) B_3 + t_i t_j B_4,
    m = mu.R,  v = T R,  t = R.T R
"""

from math import erf

import numpy as np

from mlsemi.kernels.jit import kernel

ROOT = 2.0 / np.sqrt(np.pi)
N_MOMENT = 10
ORDER = 6
"""B_0 to B_5: the last one in derivatives alone."""


@kernel
def radial_functions(r2, width2, out):
    """Writes B_0 to B_5 (6,) at distance r, squared width a_i + a_j, on ``out``."""
    r, k2 = np.sqrt(r2), 1.0 / width2
    k = np.sqrt(k2)
    g = ROOT * k * np.exp(-k2 * r2)
    out[0] = erf(k * r) / r
    out[1] = (out[0] - g) / r2
    for n in range(2, ORDER):
        g *= 2.0 * k2
        out[n] = ((2 * n - 1) * out[n - 1] - g) / r2


@kernel
def dot(a, b):
    """Of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def turned(moments, x):
    """T x of the quadrupole among the moments."""
    xx, xy, xz, yy, yz, zz = moments[4:]
    return (
        xx * x[0] + xy * x[1] + xz * x[2],
        xy * x[0] + yy * x[1] + yz * x[2],
        xz * x[0] + yz * x[1] + zz * x[2],
    )


@kernel
def double_dot(a, b):
    """T:T' of the quadrupoles among the moments."""
    return a[4] * b[4] + a[7] * b[7] + a[9] * b[9] + 2.0 * (a[5] * b[5] + a[6] * b[6] + a[8] * b[8])


@kernel
def factors(a, b, r, v, w):
    """What B_0 to B_4 are multiplied with, of moments (10,); v = T R of a, w of b."""
    p, s, t, u = dot(a[1:4], r), dot(b[1:4], r), dot(v, r), dot(w, r)
    return (
        a[0] * b[0],
        b[0] * p - a[0] * s + dot(a[1:4], b[1:4]),
        a[0] * u + b[0] * t - p * s + 2.0 * (dot(b[1:4], v) - dot(a[1:4], w) + double_dot(a, b)),
        p * u - s * t - 4.0 * dot(v, w),
        t * u,
    )


@kernel
def interaction(a, b, r, width2, radial):
    """E of moments a at i and b at j, (10,) each, and R; ``radial`` (6,) is written on."""
    radial_functions(dot(r, r), width2, radial)
    by = factors(a, b, r, turned(a, r), turned(b, r))
    return (
        by[0] * radial[0]
        + by[1] * radial[1]
        + by[2] * radial[2]
        + by[3] * radial[3]
        + by[4] * radial[4]
    )


@kernel
def add_quadrupole_bar(c, u, v, out):
    """Adds the cotangent of T from c u.T v, vectors u and v, to ``out`` (10,)."""
    out[4] += c * u[0] * v[0]
    out[5] += c * (u[0] * v[1] + u[1] * v[0])
    out[6] += c * (u[0] * v[2] + u[2] * v[0])
    out[7] += c * u[1] * v[1]
    out[8] += c * (u[1] * v[2] + u[2] * v[1])
    out[9] += c * u[2] * v[2]


@kernel
def moments_adjoint(b, sign, r, v, w, radial, bar, a_bar):
    """Adds to the cotangent (10,) of one atom's moments, of whose T R is v; b, w of the other.

    ``sign`` is 1 for the first atom and -1 for the second: odd orders of R change theirs.
    """
    b1, b2, b3, b4 = radial[1], radial[2], radial[3], radial[4]
    s, u = dot(b[1:4], r), dot(w, r)
    a_bar[0] += bar * (b[0] * radial[0] - sign * s * b1 + u * b2)
    for c in range(3):
        along = b[0] * sign * b1 - s * b2 + sign * u * b3
        a_bar[c + 1] += bar * (along * r[c] + b[c + 1] * b1 - sign * 2.0 * w[c] * b2)
    add_quadrupole_bar(bar * (b[0] * b2 - sign * s * b3 + u * b4), r, r, a_bar)
    add_quadrupole_bar(bar * sign * 2.0 * b2, b[1:4], r, a_bar)
    add_quadrupole_bar(-bar * 4.0 * b3, w, r, a_bar)
    for c in range(4, 10):
        twice = 4.0 if c in (5, 6, 8) else 2.0
        a_bar[c] += bar * twice * b2 * b[c]


@kernel
def interaction_adjoint(a, b, r, width2, radial, bar, a_bar, b_bar):
    """Adds bar de to the cotangents of both moments; returns e and bar de/dR."""
    radial_functions(dot(r, r), width2, radial)
    v, w = turned(a, r), turned(b, r)
    by = factors(a, b, r, v, w)
    moments_adjoint(b, 1.0, r, v, w, radial, bar, a_bar)
    moments_adjoint(a, -1.0, r, w, v, radial, bar, b_bar)
    e, along = 0.0, 0.0
    for n in range(5):
        e += by[n] * radial[n]
        along -= by[n] * radial[n + 1]
    p, s, t, u = dot(a[1:4], r), dot(b[1:4], r), dot(v, r), dot(w, r)
    of_v, of_w = turned(a, w), turned(b, v)
    of_mu, to_mu = turned(a, b[1:4]), turned(b, a[1:4])
    b1, b2, b3, b4 = radial[1], radial[2], radial[3], radial[4]
    slope = np.empty(3)
    for c in range(3):
        mu, nu = a[c + 1], b[c + 1]
        slope[c] = bar * (
            along * r[c]
            + (b[0] * mu - a[0] * nu) * b1
            + (2.0 * (a[0] * w[c] + b[0] * v[c] + of_mu[c] - to_mu[c]) - mu * s - p * nu) * b2
            + (mu * u + 2.0 * (p * w[c] - s * v[c]) - nu * t - 4.0 * (of_v[c] + of_w[c])) * b3
            + 2.0 * (v[c] * u + t * w[c]) * b4
        )
    return e, slope


@kernel
def add_all_pairs(positions, blocks, squared, part, moments, energies):
    """Adds the energies (n_atom,) of pairs of different parts in blocks (n, 2), begin and end."""
    radial, r = np.empty(ORDER), np.empty(3)
    for s in range(blocks.shape[0]):
        for i in range(blocks[s, 0], blocks[s, 1]):
            for j in range(i + 1, blocks[s, 1]):
                if part[i] == part[j]:
                    continue
                for c in range(3):
                    r[c] = positions[j, c] - positions[i, c]
                width2 = squared[i] + squared[j]
                e = 0.5 * interaction(moments[i], moments[j], r, width2, radial)
                energies[i] += e
                energies[j] += e


@kernel
def add_all_pairs_adjoint(
    positions, blocks, squared, part, moments, energies_bar, moments_bar, positions_bar
):
    """Adjoint of add_all_pairs; adds to the last two."""
    radial, r = np.empty(ORDER), np.empty(3)
    for s in range(blocks.shape[0]):
        for i in range(blocks[s, 0], blocks[s, 1]):
            for j in range(i + 1, blocks[s, 1]):
                if part[i] == part[j]:
                    continue
                for c in range(3):
                    r[c] = positions[j, c] - positions[i, c]
                bar, width2 = 0.5 * (energies_bar[i] + energies_bar[j]), squared[i] + squared[j]
                _, slope = interaction_adjoint(
                    moments[i], moments[j], r, width2, radial, bar, moments_bar[i], moments_bar[j]
                )
                for c in range(3):
                    positions_bar[j, c] += slope[c]
                    positions_bar[i, c] -= slope[c]


@kernel
def add_chosen_pairs(first, second, vectors, squared, moments, share, energies):
    """Adds the energies of pairs with vectors (n, 3), times ``share`` (n,)."""
    radial = np.empty(ORDER)
    for p in range(first.size):
        i, j = first[p], second[p]
        width2 = squared[i] + squared[j]
        e = interaction(moments[i], moments[j], vectors[p], width2, radial)
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
    radial = np.empty(ORDER)
    for p in range(first.size):
        i, j = first[p], second[p]
        half, width2 = 0.5 * (energies_bar[i] + energies_bar[j]), squared[i] + squared[j]
        e, slope = interaction_adjoint(
            moments[i],
            moments[j],
            vectors[p],
            width2,
            radial,
            half * share[p],
            moments_bar[i],
            moments_bar[j],
        )
        share_bar[p] += half * e
        for c in range(3):
            vectors_bar[p, c] += slope[c]
