"""Features of atoms: neighbour densities, gates, scalar products, and their adjoints."""

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
def open_gates(linear, gate):
    """Scalars plus the first channels of gate (n_atom, 3 n_channel), l > 0 times one plus the rest.

    Channels of gate stand by degree l; linear and the result are (n_atom, 9, n_channel).
    """
    n_channel = linear.shape[2]
    out = np.empty_like(linear)
    for i in range(linear.shape[0]):
        for k in range(n_channel):
            out[i, 0, k] = linear[i, 0, k] + gate[i, k]
        for m in range(1, linear.shape[1]):
            shift = int(np.sqrt(m)) * n_channel
            for k in range(n_channel):
                out[i, m, k] = linear[i, m, k] * (1.0 + gate[i, shift + k])
    return out


@kernel
def open_gates_adjoint(linear, gate, out_bar):
    """Adjoint of open_gates: (linear_bar, gate_bar)."""
    n_channel = linear.shape[2]
    linear_bar, gate_bar = np.empty_like(linear), np.zeros_like(gate)
    for i in range(linear.shape[0]):
        for k in range(n_channel):
            linear_bar[i, 0, k] = out_bar[i, 0, k]
            gate_bar[i, k] = out_bar[i, 0, k]
        for m in range(1, linear.shape[1]):
            shift = int(np.sqrt(m)) * n_channel
            for k in range(n_channel):
                b = out_bar[i, m, k]
                linear_bar[i, m, k] = b * (1.0 + gate[i, shift + k])
                gate_bar[i, shift + k] += b * linear[i, m, k]
    return linear_bar, gate_bar


@kernel
def scalar_products(features, n_own):
    """Scalars of each atom, and products within a degree l > 0 of its first n_own channels.

    features (n_atom, n_harmonic, n_channel) holds the channels x of the atom, n_own of them, and as
    many of its message y, or none. A row of the result is x_0, y_0, then for each l > 0
    sum_m x_m x_m, sum_m x_m y_m, sum_m y_m y_m; without messages what has no y.
    """
    n_part = features.shape[2] // n_own
    n_degree = int(np.sqrt(features.shape[1]))
    n_product = n_part * (n_part + 1) // 2
    out = np.zeros((features.shape[0], (n_part + (n_degree - 1) * n_product) * n_own))
    for i in range(features.shape[0]):
        for k in range(n_part * n_own):
            out[i, k] = features[i, 0, k]
        column = n_part * n_own
        for l in range(1, n_degree):
            for m in range(l * l, (l + 1) * (l + 1)):
                shift = column
                for a in range(n_part):
                    for b in range(a, n_part):
                        for k in range(n_own):
                            product = features[i, m, a * n_own + k] * features[i, m, b * n_own + k]
                            out[i, shift + k] += product
                        shift += n_own
            column += n_product * n_own
    return out


@kernel
def scalar_products_adjoint(features, n_own, out_bar, features_bar):
    """Adjoint of scalar_products; adds to features_bar."""
    n_part = features.shape[2] // n_own
    n_degree = int(np.sqrt(features.shape[1]))
    for i in range(features.shape[0]):
        for k in range(n_part * n_own):
            features_bar[i, 0, k] += out_bar[i, k]
        column = n_part * n_own
        for l in range(1, n_degree):
            for m in range(l * l, (l + 1) * (l + 1)):
                shift = column
                for a in range(n_part):
                    for b in range(a, n_part):
                        for k in range(n_own):
                            x, y, bar = a * n_own + k, b * n_own + k, out_bar[i, shift + k]
                            features_bar[i, m, x] += bar * features[i, m, y]
                            features_bar[i, m, y] += bar * features[i, m, x]
                        shift += n_own
            column += n_part * (n_part + 1) // 2 * n_own


@kernel
def sigmoid_linear(x, falling):
    """Value x / (1 + e) and its slope, both (n, n_unit); e = exp(-x) is ``falling``.

    The exponential is left to NumPy, which has vector code for it.
    """
    value, slope = np.empty_like(x), np.empty_like(x)
    for n in range(x.shape[0]):
        for k in range(x.shape[1]):
            sigmoid = 1.0 / (1.0 + falling[n, k])
            value[n, k] = x[n, k] * sigmoid
            slope[n, k] = sigmoid + value[n, k] * (1.0 - sigmoid)
    return value, slope
