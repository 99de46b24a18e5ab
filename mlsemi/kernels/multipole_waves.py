"""Interaction of charges and dipoles through waves G, and its adjoint.

In a sum over images that is split (:mod:`mlsemi.lattice.multipoles`), what is left for reciprocal
space are layers t of

    f(r) = sum_G w_tG exp(-t^2 rho^2) cos(G.r) + l_t (exp(-t^2 rho^2) - 1)

with rho the part of r across the periodic directions. With p, q the dipoles at i and j, of which
p_G = G.p and p_rho = -2 t^2 rho.p are what a derivative along p takes from wave and Gaussian,

    D_i D_j exp(-t^2 rho^2) cos(G.r) = exp(-t^2 rho^2) [cos(G.r) X + sin(G.r) Y],
    X = alpha beta + p_G q_G + 2 t^2 p.q,   Y = p_G beta - q_G alpha,
    alpha = q_i - p_rho,   beta = q_j + q_rho,    the product p.q across.

``angle`` (n, n_wave, 2) are cosine and sine of G.r of the atoms, ``across`` (n, 3) their positions
across, ``flat`` (n, 3) their dipoles across, ``dipole`` (n, n_wave) their dipoles along the waves.
"""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def dot(a, b):
    """Of two vectors (3,)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def add_waves(angle, dipole, moments, across, flat, t2, weight, level, energies):
    """Adds half of the energy of every pair, and of every atom with itself, to either atom.

    ``t2``, ``level`` (n_layer,), ``weight`` (n_layer, n_wave).
    """
    n, n_wave = dipole.shape
    for i in range(n):
        for j in range(i, n):
            rho = across[j] - across[i]
            rho2, p, q = dot(rho, rho), dot(rho, flat[i]), dot(rho, flat[j])
            both, e = dot(flat[i], flat[j]), 0.0
            for t in range(t2.size):
                fall = np.exp(-t2[t] * rho2)
                alpha, beta = moments[i, 0] + 2.0 * t2[t] * p, moments[j, 0] - 2.0 * t2[t] * q
                flat_part, total = alpha * beta + 2.0 * t2[t] * both, 0.0
                for g in range(n_wave):
                    a, b = angle[i, g], angle[j, g]
                    X = flat_part + dipole[i, g] * dipole[j, g]
                    Y = dipole[i, g] * beta - dipole[j, g] * alpha
                    cosine, sine = a[0] * b[0] + a[1] * b[1], a[0] * b[1] - a[1] * b[0]
                    total += weight[t, g] * (cosine * X + sine * Y)
                e += fall * total
                e += level[t] * (fall * flat_part - moments[i, 0] * moments[j, 0])
            energies[i] += 0.5 * e
            if i != j:
                energies[j] += 0.5 * e


@kernel
def add_waves_adjoint(
    angle, dipole, moments, across, flat, t2, weight, level, energies_bar, bars, layer_bars
):
    """Adjoint of add_waves; adds to ``bars`` and ``layer_bars``.

    ``bars``: of G.r (n, n_wave), dipole (n, n_wave), charges (n,), across (n, 3), flat (n, 3);
    ``layer_bars``: of weight and level; of what tilts G.r when rho moves (n_wave, 3).
    """
    angle_bar, dipole_bar, charge_bar, across_bar, flat_bar = bars
    n, n_wave = dipole.shape
    for i in range(n):
        for j in range(i, n):
            bar = 0.5 * (energies_bar[i] + energies_bar[j]) if i != j else 0.5 * energies_bar[i]
            rho = across[j] - across[i]
            rho2, p, q = dot(rho, rho), dot(rho, flat[i]), dot(rho, flat[j])
            both = dot(flat[i], flat[j])
            rho2_bar = p_bar = q_bar = both_bar = 0.0
            for t in range(t2.size):
                fall = np.exp(-t2[t] * rho2)
                alpha, beta = moments[i, 0] + 2.0 * t2[t] * p, moments[j, 0] - 2.0 * t2[t] * q
                flat_part = alpha * beta + 2.0 * t2[t] * both
                alpha_bar = beta_bar = 0.0
                part_bar, total = level[t] * fall, level[t] * flat_part
                for g in range(n_wave):
                    a, b, u, v = angle[i, g], angle[j, g], dipole[i, g], dipole[j, g]
                    X, Y = flat_part + u * v, u * beta - v * alpha
                    cosine, sine = a[0] * b[0] + a[1] * b[1], a[0] * b[1] - a[1] * b[0]
                    value = cosine * X + sine * Y
                    total += weight[t, g] * value
                    layer_bars[0][t, g] += bar * fall * value
                    w = weight[t, g] * fall
                    part_bar += w * cosine
                    alpha_bar -= w * sine * v
                    beta_bar += w * sine * u
                    dipole_bar[i, g] += bar * w * (cosine * v + sine * beta)
                    dipole_bar[j, g] += bar * w * (cosine * u - sine * alpha)
                    turn = bar * w * (cosine * Y - sine * X)
                    angle_bar[j, g] += turn
                    angle_bar[i, g] -= turn
                    layer_bars[2][g] += turn * rho
                layer_bars[1][t] += bar * (fall * flat_part - moments[i, 0] * moments[j, 0])
                rho2_bar -= t2[t] * fall * total
                alpha_bar += part_bar * beta
                beta_bar += part_bar * alpha
                both_bar += 2.0 * t2[t] * part_bar
                p_bar += 2.0 * t2[t] * alpha_bar
                q_bar -= 2.0 * t2[t] * beta_bar
                charge_bar[i] += bar * (alpha_bar - level[t] * moments[j, 0])
                charge_bar[j] += bar * (beta_bar - level[t] * moments[i, 0])
            rho_bar = bar * (2.0 * rho2_bar * rho + p_bar * flat[i] + q_bar * flat[j])
            across_bar[j] += rho_bar
            across_bar[i] -= rho_bar
            flat_bar[i] += bar * (p_bar * rho + both_bar * flat[j])
            flat_bar[j] += bar * (q_bar * rho + both_bar * flat[i])
