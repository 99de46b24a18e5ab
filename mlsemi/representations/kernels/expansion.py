"""Density coefficients with radial functions of their own for every degree, and the adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def expand(first, channel, radial, sphere, n_atom, n_channel):
    """Neighbour density, theory eq 2: one flat array, degree after degree.

    radial (n_pair, n_degree, n_radial); channel (n_pair,) is the first channel of the neighbour's
    species. The part of degree l starts at n_atom * n_channel * l^2 and has the shape
    (n_atom, 2 l + 1, n_channel).
    """
    n_degree, n_radial = radial.shape[1:]
    out = np.zeros(n_atom * n_channel * n_degree * n_degree)
    for p in range(first.size):
        for l in range(n_degree):
            start = n_channel * (n_atom * l * l + first[p] * (2 * l + 1)) + channel[p]
            for m in range(2 * l + 1):
                y = sphere[p, l * l + m]
                at = start + m * n_channel
                for n in range(n_radial):
                    out[at + n] += y * radial[p, l, n]
    return out


@kernel
def expand_adjoint(first, channel, radial, sphere, n_atom, n_channel, out_bar):
    """Adjoint of expand: (radial_bar, sphere_bar)."""
    n_degree, n_radial = radial.shape[1:]
    radial_bar = np.zeros_like(radial)
    sphere_bar = np.zeros_like(sphere)
    for p in range(first.size):
        for l in range(n_degree):
            start = n_channel * (n_atom * l * l + first[p] * (2 * l + 1)) + channel[p]
            for m in range(2 * l + 1):
                y = sphere[p, l * l + m]
                at = start + m * n_channel
                total = 0.0
                for n in range(n_radial):
                    b = out_bar[at + n]
                    radial_bar[p, l, n] += y * b
                    total += radial[p, l, n] * b
                sphere_bar[p, l * l + m] = total
    return radial_bar, sphere_bar
