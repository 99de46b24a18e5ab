"""How firmly two atoms are connected: the best path of bonds between them, its adjoint, and parts.

    u_ij = max over paths of at most n bonds from i to j of the product of their strengths

Walks that turn round are no better than paths, as strengths are at most one. Pairs are directed and
grouped by their first atom.
"""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def bond_lists(first, second, strength, n_atom):
    """Bonds (pairs of strength > 0) of each atom: start (n_atom + 1,), and the numbers of pairs."""
    start = np.zeros(n_atom + 1, np.int64)
    for p in range(first.size):
        if strength[p] > 0.0:
            start[first[p] + 1] += 1
    for i in range(n_atom):
        start[i + 1] += start[i]
    bond, filled = np.empty(start[n_atom], np.int64), start[:-1].copy()
    for p in range(first.size):
        if strength[p] > 0.0:
            bond[filled[first[p]]] = p
            filled[first[p]] += 1
    return start, bond


@kernel
def connected_parts(first, second, strength, n_atom):
    """Number of parts whose atoms bonds join, and the part of each atom (n_atom,)."""
    start, bond = bond_lists(first, second, strength, n_atom)
    label, stack, n_part = np.full(n_atom, -1), np.empty(n_atom, np.int64), 0
    for i in range(n_atom):
        if label[i] < 0:
            label[i], stack[0], waiting = n_part, i, 1
            while waiting > 0:
                waiting -= 1
                a = stack[waiting]
                for b in range(start[a], start[a + 1]):
                    j = second[bond[b]]
                    if label[j] < 0:
                        label[j], stack[waiting] = n_part, j
                        waiting += 1
            n_part += 1
    return n_part, label


@kernel
def best_paths(source, start, bond, second, strength, best, length, arrived, found, front, value):
    """Best paths from one atom to all others.

    ``best`` (n_atom,) starts at zero, ``length`` is what the paths in it have, and
    ``arrived[k, j]`` the pair by which the best walk of k bonds came to j. ``found`` (n_atom,)
    takes the atoms that were reached, ``front`` (2, n_atom) and ``value`` (n_atom,) are for the
    walk itself. Returns the number of atoms found.
    """
    n_found, n_front = 0, 1
    front[0, 0], value[0] = source, 1.0
    for k in range(1, arrived.shape[0]):
        here, there, n_next = (k + 1) % 2, k % 2, 0
        for f in range(n_front):
            for b in range(start[front[here, f]], start[front[here, f] + 1]):
                j, strong = second[bond[b]], value[f] * strength[bond[b]]
                if j != source and strong > best[j]:
                    if best[j] == 0.0:
                        found[n_found] = j
                        n_found += 1
                    if best[j] == 0.0 or length[j] != k:
                        front[there, n_next] = j
                        n_next += 1
                    best[j], length[j], arrived[k, j] = strong, k, bond[b]
        n_front = n_next
        for f in range(n_next):
            value[f] = best[front[there, f]]
    return n_found


@kernel
def connection(first, second, strength, n_atom, longest):
    """(n_pair,) u of every pair by at most ``longest`` bonds of ``strength`` (n_pair,)."""
    start, bond = bond_lists(first, second, strength, n_atom)
    best, length = np.zeros(n_atom), np.zeros(n_atom, np.int64)
    arrived = np.empty((longest + 1, n_atom), np.int64)
    found, front, value = np.empty(n_atom, np.int64), np.empty((2, n_atom), np.int64), best.copy()
    out = np.zeros(first.size)
    p = 0
    while p < first.size:
        i = first[p]
        n_found = best_paths(
            i, start, bond, second, strength, best, length, arrived, found, front, value
        )
        while p < first.size and first[p] == i:
            out[p] = best[second[p]]
            p += 1
        for f in range(n_found):
            best[found[f]] = 0.0
    return out


@kernel
def connection_adjoint(first, second, strength, n_atom, longest, out, out_bar):
    """Adjoint of connection: strength_bar (n_pair,), from u and dL/du."""
    start, bond = bond_lists(first, second, strength, n_atom)
    best, length = np.zeros(n_atom), np.zeros(n_atom, np.int64)
    arrived = np.empty((longest + 1, n_atom), np.int64)
    found, front, value = np.empty(n_atom, np.int64), np.empty((2, n_atom), np.int64), best.copy()
    strength_bar = np.zeros(first.size)
    for p in range(first.size):
        if 0.0 < out[p] < 1.0 and out_bar[p] != 0.0:
            n_found = best_paths(
                first[p], start, bond, second, strength, best, length, arrived, found, front, value
            )
            j, k = second[p], length[second[p]]
            while k > 0:
                b = arrived[k, j]
                strength_bar[b] += out_bar[p] * out[p] / strength[b]
                j, k = first[b], k - 1
            for f in range(n_found):
                best[found[f]] = 0.0
    return strength_bar
