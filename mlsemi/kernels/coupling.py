"""Clebsch-Gordan products channel by channel, pair contractions, and their adjoints."""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def couple(a, b, table, coefficient, n_out):
    """Channel-wise products (theory eq 3): out[x, o, k] = sum c a[x, m1, k] b[x, m2, k]."""
    out = np.zeros((a.shape[0], n_out, a.shape[2]))
    for x in range(a.shape[0]):
        for e in range(coefficient.size):
            m1, m2, o = table[e, 0], table[e, 1], table[e, 2]
            c = coefficient[e]
            for k in range(a.shape[2]):
                out[x, o, k] += c * a[x, m1, k] * b[x, m2, k]
    return out


@kernel
def couple_adjoint(a, b, table, coefficient, out_bar):
    """Adjoint of couple: (a_bar, b_bar)."""
    a_bar = np.zeros_like(a)
    b_bar = np.zeros_like(b)
    for x in range(a.shape[0]):
        for e in range(coefficient.size):
            m1, m2, o = table[e, 0], table[e, 1], table[e, 2]
            c = coefficient[e]
            for k in range(a.shape[2]):
                g = c * out_bar[x, o, k]
                a_bar[x, m1, k] += g * b[x, m2, k]
                b_bar[x, m2, k] += g * a[x, m1, k]
    return a_bar, b_bar


@kernel
def bond_invariants(first, second, sphere, nodes):
    """Projections of both atoms' features on the bond (theory eq 4, lambda = 0).

    (n_pair, 2 * n_degree * n_channel): sum_m Y_lm(r_ij) node_lm for node = i, then j.
    """
    n_channel = nodes.shape[2]
    n_degree = int(np.sqrt(sphere.shape[1]))
    out = np.zeros((first.size, 2 * n_degree * n_channel))
    for p in range(first.size):
        for side in range(2):
            atom = first[p] if side == 0 else second[p]
            for l in range(n_degree):
                base = (side * n_degree + l) * n_channel
                for m in range(l * l, (l + 1) * (l + 1)):
                    y = sphere[p, m]
                    for k in range(n_channel):
                        out[p, base + k] += y * nodes[atom, m, k]
    return out


@kernel
def bond_invariants_adjoint(first, second, sphere, nodes, out_bar, sphere_bar, nodes_bar):
    """Adjoint of bond_invariants; adds to sphere_bar and nodes_bar."""
    n_channel = nodes.shape[2]
    n_degree = int(np.sqrt(sphere.shape[1]))
    for p in range(first.size):
        for side in range(2):
            atom = first[p] if side == 0 else second[p]
            for l in range(n_degree):
                base = (side * n_degree + l) * n_channel
                for m in range(l * l, (l + 1) * (l + 1)):
                    y = sphere[p, m]
                    total = 0.0
                    for k in range(n_channel):
                        b = out_bar[p, base + k]
                        nodes_bar[atom, m, k] += y * b
                        total += b * nodes[atom, m, k]
                    sphere_bar[p, m] += total


@kernel
def prepare_pair(raw, scale, node_i, node_j, weights, both):
    """Weights of a pair (n_path, 2 n_channel), and the features of its atoms side by side."""
    n_channel = node_i.shape[1]
    weights[:] = raw * scale
    both[:, :n_channel] = node_i
    both[:, n_channel:] = node_j


@kernel
def mix_channels(weights, both, degree, mixed):
    """Contract channels before coupling: mixed[q, m] = sum_k w_qk (node_i, node_j)_mk."""
    for q in range(degree.size):
        l = degree[q]
        for m in range(l * l, (l + 1) * (l + 1)):
            total = 0.0
            for k in range(both.shape[1]):
                total += weights[q, k] * both[m, k]
            mixed[q, m] = total


@kernel
def bond_tensors(
    first, second, label, sphere, raw, scale, nodes, degree, table, coefficient, n_out
):
    """Irreps of pair blocks: CG(Y(r_ij), sum_k w_k node_k) summed over paths (theory eq 4).

    w = raw[pair] * scale[label of the pair], both (.., n_path, 2 * n_channel), for the channels of
    atom i, then of atom j; degree (n_path,) is the degree of the node factor. Channels are
    contracted before the coupling, so the cost does not multiply. Result (n_pair, n_out).
    """
    out = np.zeros((first.size, n_out))
    mixed = np.zeros((degree.size, sphere.shape[1]))
    weights = np.empty(raw.shape[1:])
    both = np.empty((nodes.shape[1], raw.shape[2]))
    for p in range(first.size):
        prepare_pair(raw[p], scale[label[p]], nodes[first[p]], nodes[second[p]], weights, both)
        mix_channels(weights, both, degree, mixed)
        for e in range(coefficient.size):
            m1, m2, o, q = table[e, 0], table[e, 1], table[e, 2], table[e, 3]
            out[p, o] += coefficient[e] * sphere[p, m1] * mixed[q, m2]
    return out


@kernel
def bond_tensors_adjoint(
    first, second, label, sphere, raw, scale, nodes, degree, table, coefficient, out_bar
):
    """Adjoint of bond_tensors: (sphere_bar, raw_bar, scale_bar, nodes_bar)."""
    n_channel = nodes.shape[2]
    sphere_bar = np.zeros_like(sphere)
    raw_bar = np.empty_like(raw)
    scale_bar = np.zeros_like(scale)
    nodes_bar = np.zeros_like(nodes)
    mixed = np.zeros((degree.size, sphere.shape[1]))
    mixed_bar = np.zeros((degree.size, sphere.shape[1]))
    weights = np.empty(raw.shape[1:])
    weights_bar = np.empty(raw.shape[1:])
    both = np.empty((nodes.shape[1], raw.shape[2]))
    both_bar = np.empty((nodes.shape[1], raw.shape[2]))
    for p in range(first.size):
        i, j, row = first[p], second[p], label[p]
        prepare_pair(raw[p], scale[row], nodes[i], nodes[j], weights, both)
        mix_channels(weights, both, degree, mixed)
        mixed_bar[:] = 0.0
        for e in range(coefficient.size):
            m1, m2, q = table[e, 0], table[e, 1], table[e, 3]
            b = coefficient[e] * out_bar[p, table[e, 2]]
            mixed_bar[q, m2] += b * sphere[p, m1]
            sphere_bar[p, m1] += b * mixed[q, m2]
        weights_bar[:] = 0.0
        both_bar[:] = 0.0
        for q in range(degree.size):
            l = degree[q]
            for m in range(l * l, (l + 1) * (l + 1)):
                b = mixed_bar[q, m]
                for k in range(both.shape[1]):
                    weights_bar[q, k] += b * both[m, k]
                for k in range(both.shape[1]):
                    both_bar[m, k] += b * weights[q, k]
        nodes_bar[i] += both_bar[:, :n_channel]
        nodes_bar[j] += both_bar[:, n_channel:]
        raw_bar[p] = weights_bar * scale[row]
        scale_bar[row] += weights_bar * raw[p]
    return sphere_bar, raw_bar, scale_bar, nodes_bar
