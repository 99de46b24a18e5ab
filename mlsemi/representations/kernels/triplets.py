"""Even pairs of Gaussians of every triple, summed over the triples of an atom; the adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def sum_even_gaussians(center, weight, even, odd, out):
    """Add w_t (exp(-(even - odd) / 2) + exp(-(even + odd) / 2)) / 2 to out (n_atom, n_landmark).

    even, odd (n_triple, n_landmark): the parts of the squared distance between a triple and a
    landmark that keep and that change their sign under inversion.
    """
    for t in range(center.size):
        w = 0.5 * weight[t]
        for m in range(even.shape[1]):
            same = np.exp(-0.5 * (even[t, m] - odd[t, m]))
            other = np.exp(-0.5 * (even[t, m] + odd[t, m]))
            out[center[t], m] += w * (same + other)


@kernel
def sum_even_gaussians_adjoint(center, weight, even, odd, out_bar):
    """Adjoint of sum_even_gaussians: (weight_bar, even_bar, odd_bar)."""
    weight_bar = np.zeros_like(weight)
    even_bar = np.empty_like(even)
    odd_bar = np.empty_like(odd)
    for t in range(center.size):
        for m in range(even.shape[1]):
            same = np.exp(-0.5 * (even[t, m] - odd[t, m]))
            other = np.exp(-0.5 * (even[t, m] + odd[t, m]))
            bar = 0.5 * out_bar[center[t], m]
            weight_bar[t] += bar * (same + other)
            bar *= 0.5 * weight[t]
            even_bar[t, m] = -bar * (same + other)
            odd_bar[t, m] = bar * (same - other)
    return weight_bar, even_bar, odd_bar
