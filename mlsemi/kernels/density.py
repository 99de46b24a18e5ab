"""Neighbour densities and messages: sums over the pairs of an atom, and their adjoints."""

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


@kernel
def messages(first, second, sphere, weights, nodes, table, coefficient, n_out):
    """Messages sum_j CG(Y(r_ij), node_j) w(r_ij): (n_atom, n_out, n_channel).

    Each pair stands once and sends both ways: w(r_ji) = w(r_ij), Y_lm(r_ji) = (-1)^l Y_lm(r_ij).
    table (n_entry, 4): components of Y, node and result, path; weights (n_pair, n_path, n_channel).
    """
    n_channel = nodes.shape[2]
    out = np.zeros((nodes.shape[0], n_out, n_channel))
    for p in range(first.size):
        i, j = first[p], second[p]
        for e in range(coefficient.size):
            m, a, o, q = table[e, 0], table[e, 1], table[e, 2], table[e, 3]
            y = coefficient[e] * sphere[p, m]
            back = -1.0 if 1 <= m <= 3 else 1.0
            for k in range(n_channel):
                w = y * weights[p, q, k]
                out[i, o, k] += w * nodes[j, a, k]
                out[j, o, k] += back * w * nodes[i, a, k]
    return out


@kernel
def messages_adjoint(first, second, sphere, weights, nodes, table, coefficient, out_bar):
    """Adjoint of messages: (sphere_bar, weights_bar, nodes_bar)."""
    n_channel = nodes.shape[2]
    sphere_bar = np.zeros_like(sphere)
    weights_bar = np.zeros_like(weights)
    nodes_bar = np.zeros_like(nodes)
    for p in range(first.size):
        i, j = first[p], second[p]
        for e in range(coefficient.size):
            m, a, o, q = table[e, 0], table[e, 1], table[e, 2], table[e, 3]
            c = coefficient[e]
            y = c * sphere[p, m]
            back = -1.0 if 1 <= m <= 3 else 1.0
            total = 0.0
            for k in range(n_channel):
                to_i, to_j = out_bar[i, o, k], back * out_bar[j, o, k]
                w = weights[p, q, k]
                product = to_i * nodes[j, a, k] + to_j * nodes[i, a, k]
                total += w * product
                weights_bar[p, q, k] += y * product
                nodes_bar[j, a, k] += y * w * to_i
                nodes_bar[i, a, k] += y * w * to_j
            sphere_bar[p, m] += c * total
    return sphere_bar, weights_bar, nodes_bar
