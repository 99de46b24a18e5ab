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
def side_by_side(node_i, node_j, both):
    """Features of the two atoms of a pair, (n_component, n_channel) each, in one row."""
    n_channel = node_i.shape[1]
    for m in range(both.shape[0]):
        for k in range(n_channel):
            both[m, k] = node_i[m, k]
            both[m, n_channel + k] = node_j[m, k]


@kernel
def mix_channels(raw, scale, both, degree, mixed):
    """Contract channels before coupling: mixed = sum_k raw_qk scale_qk both_mk, m of degree[q].

    The results stand side by side, path after path. One pass over the channels sums all components
    of a degree (0, 1 or 2), which takes a third of the time of a pass for each.
    """
    at = 0
    for q in range(degree.size):
        a = b = c = d = e = 0.0
        if degree[q] == 0:
            for k in range(both.shape[1]):
                a += raw[q, k] * scale[q, k] * both[0, k]
        elif degree[q] == 1:
            for k in range(both.shape[1]):
                w = raw[q, k] * scale[q, k]
                a += w * both[1, k]
                b += w * both[2, k]
                c += w * both[3, k]
            mixed[at + 1], mixed[at + 2] = b, c
        else:
            for k in range(both.shape[1]):
                w = raw[q, k] * scale[q, k]
                a += w * both[4, k]
                b += w * both[5, k]
                c += w * both[6, k]
                d += w * both[7, k]
                e += w * both[8, k]
            mixed[at + 1], mixed[at + 2], mixed[at + 3], mixed[at + 4] = b, c, d, e
        mixed[at] = a
        at += 2 * degree[q] + 1


@kernel
def places_of(degree):
    """Where component m of path q stands among those of mix_channels, less m; their number last."""
    out = np.empty(degree.size + 1, dtype=np.int64)
    at = 0
    for q in range(degree.size):
        out[q] = at - degree[q] * degree[q]
        at += 2 * degree[q] + 1
    out[degree.size] = at
    return out


BLOCK = 64
"""Pairs that are coupled together, one beside the other, so that vector units are busy."""


@kernel
def bond_tensors(
    first, second, label, sphere, raw, scale, nodes, degree, table, coefficient, n_out
):
    """Irreps of pair blocks: CG(Y(r_ij), sum_k w_k node_k) summed over paths (theory eq 4).

    w = raw[pair] * scale[label of the pair], both (.., n_path, 2 * n_channel), for the channels of
    atom i, then of atom j; degree (n_path,) is the degree of the node factor. Channels are
    contracted before the coupling, so the cost does not multiply. Result (n_pair, n_out).
    """
    out = np.empty((first.size, n_out))
    place = places_of(degree)
    mixed, columns = np.empty(place[-1]), np.empty((place[-1], BLOCK))
    both = np.empty((nodes.shape[1], raw.shape[2]))
    turned, total = np.empty((sphere.shape[1], BLOCK)), np.empty((n_out, BLOCK))
    for begin in range(0, first.size, BLOCK):
        size = min(BLOCK, first.size - begin)
        for n in range(size):
            p = begin + n
            side_by_side(nodes[first[p]], nodes[second[p]], both)
            mix_channels(raw[p], scale[label[p]], both, degree, mixed)
            columns[:, n] = mixed
            turned[:, n] = sphere[p]
        total[:] = 0.0
        for e in range(coefficient.size):
            m1, m2, o, q = table[e, 0], table[e, 1], table[e, 2], table[e, 3]
            c, row = coefficient[e], place[q] + m2
            for n in range(size):
                total[o, n] += c * turned[m1, n] * columns[row, n]
        for n in range(size):
            out[begin + n] = total[:, n]
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
    place = places_of(degree)
    mixed, mixed_bar = np.empty(place[-1]), np.empty(place[-1])
    weights, weights_bar = np.empty(raw.shape[1:]), np.empty(raw.shape[1:])
    both = np.empty((nodes.shape[1], raw.shape[2]))
    both_bar = np.empty_like(both)
    for p in range(first.size):
        i, j, row = first[p], second[p], label[p]
        side_by_side(nodes[i], nodes[j], both)
        mix_channels(raw[p], scale[row], both, degree, mixed)
        mixed_bar[:] = 0.0
        for e in range(coefficient.size):
            m1, at = table[e, 0], place[table[e, 3]] + table[e, 1]
            b = coefficient[e] * out_bar[p, table[e, 2]]
            mixed_bar[at] += b * sphere[p, m1]
            sphere_bar[p, m1] += b * mixed[at]
        weights[:] = raw[p] * scale[row]
        weights_bar[:] = 0.0
        both_bar[:] = 0.0
        for q in range(degree.size):
            l = degree[q]
            for m in range(l * l, (l + 1) * (l + 1)):
                b = mixed_bar[place[q] + m]
                for k in range(both.shape[1]):
                    weights_bar[q, k] += b * both[m, k]
                for k in range(both.shape[1]):
                    both_bar[m, k] += b * weights[q, k]
        nodes_bar[i] += both_bar[:, :n_channel]
        nodes_bar[j] += both_bar[:, n_channel:]
        raw_bar[p] = weights_bar * scale[row]
        scale_bar[row] += weights_bar * raw[p]
    return sphere_bar, raw_bar, scale_bar, nodes_bar


@kernel
def read_irreps(features, label, maps, degree, out):
    """Adds irreps side by side, linear in features: out[x, (n, m)] += sum_k maps[label, k, n] f_mk.

    Irrep n has components m of degree[n]; features (n_sample, n_harmonic, n_channel) and out
    (n_sample, n_component), maps (n_label, n_channel, n_irrep).
    """
    for x in range(label.size):
        column = 0
        for n in range(degree.size):
            l = degree[n]
            for m in range(l * l, (l + 1) * (l + 1)):
                total = 0.0
                for k in range(features.shape[2]):
                    total += maps[label[x], k, n] * features[x, m, k]
                out[x, column] += total
                column += 1


@kernel
def radial_irreps(basis, sphere, label, maps, degree, place, out):
    """Adds irreps that depend on the distance alone: out[p, place + m] += v_n Y_m, degree[n] of m.

    v_n = sum_k maps[label, k, n] basis[p, k], which is the result (n_pair, n_irrep); out (n_pair,
    n_component), maps (n_label, n_radial, n_irrep).
    """
    values = np.empty((label.size, degree.size))
    for p in range(label.size):
        for n in range(degree.size):
            total = 0.0
            for k in range(basis.shape[1]):
                total += maps[label[p], k, n] * basis[p, k]
            values[p, n] = total
            first = degree[n] * degree[n]
            for m in range(2 * degree[n] + 1):
                out[p, place[n] + m] += total * sphere[p, first + m]
    return values
