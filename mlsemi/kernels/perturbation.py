"""Products of occupied and virtual orbitals, summed over shells."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def transition_populations(orbitals, n_occupied, group, n_group):
    """B[g, i, a] = sum_(mu in g) C[mu, i] C[mu, n + a], n occupied; group (n_orbital,) of mu."""
    n_orbital = orbitals.shape[0]
    n_virtual = orbitals.shape[1] - n_occupied
    out = np.zeros((n_group, n_occupied, n_virtual))
    for mu in range(n_orbital):
        g = group[mu]
        for i in range(n_occupied):
            c = orbitals[mu, i]
            for a in range(n_virtual):
                out[g, i, a] += c * orbitals[mu, n_occupied + a]
    return out
