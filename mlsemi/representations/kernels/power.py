"""Power spectrum of densities, species by species, and the adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def present(rho, x, a, n_radial):
    """Whether atom x of rho (n_atom, 9, n) has any density in the channels of species a."""
    for m in range(rho.shape[1]):
        for n in range(a * n_radial, (a + 1) * n_radial):
            if rho[x, m, n] != 0.0:
                return True
    return False


@kernel
def add_power(rho, n_radial, l, out):
    """out[x, l, (k, k')] += sum_m rho[x, m, k] rho[x, m, k'] / sqrt(2 l + 1), k <= k'.

    Channels k = (species, n); pairs are stored row after row of the upper triangle. Species that
    an atom does not see are skipped, and their part of ``out`` is never touched.
    """
    n_channel = rho.shape[2]
    n_species = n_channel // n_radial
    factor = 1.0 / np.sqrt(2.0 * l + 1.0)
    seen = np.empty(n_species, np.bool_)
    for x in range(rho.shape[0]):
        for a in range(n_species):
            seen[a] = present(rho, x, a, n_radial)
        for a in range(n_species):
            if not seen[a]:
                continue
            for k in range(a * n_radial, (a + 1) * n_radial):
                row = k * n_channel - k * (k + 1) // 2
                for b in range(a, n_species):
                    if not seen[b]:
                        continue
                    for m in range(rho.shape[1]):
                        left = factor * rho[x, m, k]
                        for q in range(max(k, b * n_radial), (b + 1) * n_radial):
                            out[x, l, row + q] += left * rho[x, m, q]


@kernel
def add_power_adjoint(rho, n_radial, l, out_bar, rho_bar):
    """Adjoint of add_power; adds to rho_bar. Absent species have a derivative all the same."""
    n_channel = rho.shape[2]
    factor = 1.0 / np.sqrt(2.0 * l + 1.0)
    for x in range(rho.shape[0]):
        for k in range(n_channel):
            row = k * n_channel - k * (k + 1) // 2
            for m in range(rho.shape[1]):
                total = 0.0
                left = factor * rho[x, m, k]
                for q in range(k, n_channel):
                    bar = out_bar[x, l, row + q]
                    total += bar * rho[x, m, q]
                    rho_bar[x, m, q] += bar * left
                rho_bar[x, m, k] += factor * total
