"""Interaction of multipoles through waves G, and its adjoint.

In a sum over images that is split (:mod:`mlsemi.lattice.multipoles`), what is left for reciprocal
space are layers t of

    f(r) = sum_G w_tG exp(-t^2 rho^2) cos(G.r) - l_t

with rho = (y, z) the part of r across the periodic directions. A multipole is a polynomial in
derivatives; those along the waves are powers of i G, and with its phase it is

    sum_a z_a d^a,   d^a = (d/dy)^a_y (d/dz)^a_z,   O_i O_j f = sum_ab K_ab Re(z_ia* z_jb),
    K_ab = (-1)^(a_y + a_z) d^(a + b) exp(-t^2 rho^2)

In a crystal nothing is across, and the sum is one over atoms first: there it needs no kernel. ``z``
(n, n_wave, n_power, 2) are real and imaginary parts, ``across`` (n, 2) the positions across,
``power`` (n_power, 2) the a, the first of them (0, 0).
"""

import numpy as np

from mlsemi.kernels.jit import kernel

ORDER = 6
"""Derivatives of the Gaussian: two of either quadrupole, and one for a slope."""


@kernel
def gaussian_derivatives(x, t2, out):
    """d^n/dx^n exp(-t^2 x^2), n = 0 to ORDER - 1, to ``out`` (ORDER,)."""
    out[0] = np.exp(-t2 * x * x)
    out[1] = -2.0 * t2 * x * out[0]
    for n in range(1, ORDER - 1):
        out[n + 1] = -2.0 * t2 * (x * out[n] + n * out[n - 1])


@kernel
def products(a, b, weight, out):
    """Sums over waves of weight Re(z_a* z_b) to ``out`` (n_power, n_power)."""
    n_wave, n_power, _ = a.shape
    out[:] = 0.0
    for g in range(n_wave):
        for p in range(n_power):
            real, imaginary = weight[g] * a[g, p, 0], weight[g] * a[g, p, 1]
            for q in range(n_power):
                out[p, q] += real * b[g, q, 0] + imaginary * b[g, q, 1]


@kernel
def kernel_of(power, hy, hz, more_y, more_z, out):
    """K to ``out`` (n_power, n_power), with so many derivatives more."""
    for p in range(power.shape[0]):
        sign = 1.0 - 2.0 * ((power[p, 0] + power[p, 1]) % 2)
        for q in range(power.shape[0]):
            y, z = power[p, 0] + power[q, 0] + more_y, power[p, 1] + power[q, 1] + more_z
            out[p, q] = sign * hy[y] * hz[z]


@kernel
def total(a, b):
    """Sum of the products of the elements of two matrices."""
    out = 0.0
    for p in range(a.shape[0]):
        for q in range(a.shape[1]):
            out += a[p, q] * b[p, q]
    return out


@kernel
def add_waves(z, across, power, t2, weight, level, charges, energies):
    """Adds half of the energy of every pair, and of every atom with itself, to either atom.

    ``t2``, ``level`` (n_layer,), ``weight`` (n_layer, n_wave), ``charges`` (n,).
    """
    n, n_power = z.shape[0], z.shape[2]
    hy, hz = np.empty(ORDER), np.empty(ORDER)
    K, M = np.empty((n_power, n_power)), np.empty((n_power, n_power))
    for i in range(n):
        for j in range(i, n):
            e = 0.0
            for t in range(t2.size):
                gaussian_derivatives(across[j, 0] - across[i, 0], t2[t], hy)
                gaussian_derivatives(across[j, 1] - across[i, 1], t2[t], hz)
                kernel_of(power, hy, hz, 0, 0, K)
                products(z[i], z[j], weight[t], M)
                e += total(K, M) - level[t] * charges[i] * charges[j]
            energies[i] += 0.5 * e
            if i != j:
                energies[j] += 0.5 * e


@kernel
def spread(K, z, weight, bar, out):
    """Adds bar weight K_ab z_b to ``out`` (n_wave, n_power, 2)."""
    n_wave, n_power, _ = z.shape
    for g in range(n_wave):
        for p in range(n_power):
            for q in range(n_power):
                by = bar * weight[g] * K[p, q]
                out[g, p, 0] += by * z[g, q, 0]
                out[g, p, 1] += by * z[g, q, 1]


@kernel
def weigh(a, b, K, bar, out):
    """Adds bar K_ab Re(z_a* z_b) to the cotangents of the weights, ``out`` (n_wave,)."""
    n_wave, n_power, _ = a.shape
    for g in range(n_wave):
        for p in range(n_power):
            for q in range(n_power):
                out[g] += bar * K[p, q] * (a[g, p, 0] * b[g, q, 0] + a[g, p, 1] * b[g, q, 1])


@kernel
def add_waves_adjoint(z, across, power, t2, weight, level, charges, energies_bar, bars):
    """Adjoint of add_waves; adds to ``bars``.

    Those of z, of across, of weight, of level, of charges, in their shapes.
    """
    z_bar, across_bar, weight_bar, level_bar, charges_bar = bars
    n, n_power = z.shape[0], z.shape[2]
    hy, hz = np.empty(ORDER), np.empty(ORDER)
    K, M = np.empty((n_power, n_power)), np.empty((n_power, n_power))
    for i in range(n):
        for j in range(i, n):
            bar = 0.5 * (energies_bar[i] + energies_bar[j]) if i != j else 0.5 * energies_bar[i]
            for t in range(t2.size):
                gaussian_derivatives(across[j, 0] - across[i, 0], t2[t], hy)
                gaussian_derivatives(across[j, 1] - across[i, 1], t2[t], hz)
                products(z[i], z[j], weight[t], M)
                for x in range(2):
                    kernel_of(power, hy, hz, 1 - x, x, K)
                    slope = bar * total(K, M)
                    across_bar[j, x] += slope
                    across_bar[i, x] -= slope
                kernel_of(power, hy, hz, 0, 0, K)
                weigh(z[i], z[j], K, bar, weight_bar[t])
                spread(K, z[j], weight[t], bar, z_bar[i])
                spread(K.T, z[i], weight[t], bar, z_bar[j])
                level_bar[t] -= bar * charges[i] * charges[j]
                charges_bar[i] -= bar * level[t] * charges[j]
                charges_bar[j] -= bar * level[t] * charges[i]
