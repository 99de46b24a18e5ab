"""Neighbour densities, sums over the pairs of an atom, and their adjoint."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def density(first, second_species, basis, sphere, n_atom, n_species):
    """Neighbour density (n_atom, n_harmonic, n_species * n_radial), theory eq 2."""
    n_radial = basis.shape[1]
    n_sphere = sphere.shape[1]
    out = np.zeros((n_atom, n_sphere, n_species * n_radial))
    for p in range(first.size):
        i = first[p]
        shift = second_species[p] * n_radial
        for m in range(n_sphere):
            y = sphere[p, m]
            for n in range(n_radial):
                out[i, m, shift + n] += y * basis[p, n]
    return out


@kernel
def density_adjoint(first, second_species, basis, sphere, out_bar, basis_bar, sphere_bar):
    """Adjoint of density; adds to basis_bar (n_pair, n_radial), sphere_bar (n_pair, n_harmonic)."""
    n_radial = basis.shape[1]
    for p in range(first.size):
        i = first[p]
        shift = second_species[p] * n_radial
        for m in range(sphere.shape[1]):
            y = sphere[p, m]
            total = 0.0
            for n in range(n_radial):
                b = out_bar[i, m, shift + n]
                basis_bar[p, n] += y * b
                total += basis[p, n] * b
            sphere_bar[p, m] += total
