"""How firmly two atoms are connected, its adjoint, and parts that whole bonds make.

    u_ij = probability that a path of at most n bonds leads from i to j,

if every bond is there with a probability that is its strength b: 1 or 0 where all bonds of a path
are whole or none is left, b where one bond alone is on all ways, a product where several must be
there, 1 - (1 - b)(1 - b') where one of two is enough. It is a polynomial in the strengths of all
half-broken bonds, and found by trying them in turn, present and absent; where more than ``MOST`` of
them decide about one pair, the best path alone counts for the rest. Where they crowd, one less is
tried for every ``CROWD`` of them around an atom of the pair, counted in both directions: matter
that is all half-broken bonds has best paths alone.

Bonds are directed, both ways of each, with strengths above zero. Asked pairs are grouped by their
first atom. Nodes are atoms, or images of atoms behind them: ``atom`` (n_node,) says of which.
"""

import numpy as np

from mlsemi.kernels.jit import kernel

MOST, CROWD = 8, 8


@kernel
def bond_lists(first, n_atom):
    """Bonds by their first atom: start (n_atom + 1,), and the numbers of bonds."""
    start = np.zeros(n_atom + 1, np.int64)
    for p in range(first.size):
        start[first[p] + 1] += 1
    for i in range(n_atom):
        start[i + 1] += start[i]
    bond, filled = np.empty(first.size, np.int64), start[:-1].copy()
    for p in range(first.size):
        bond[filled[first[p]]] = p
        filled[first[p]] += 1
    return start, bond


@kernel
def connected_parts(first, second, shift, n_atom):
    """Number of parts, the part of each atom (n_atom,), and translations that make them whole.

    ``shift`` (n_bond, 3) are those of the second atoms; an atom at its translation (n_atom, 3) is
    bonded to the next one at its own, along a tree of the bonds.
    """
    start, bond = bond_lists(first, n_atom)
    label, stack, n_part = np.full(n_atom, -1), np.empty(n_atom, np.int64), 0
    moved = np.zeros((n_atom, 3), np.int64)
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
                        moved[j] = moved[a] + shift[bond[b]]
                        waiting += 1
            n_part += 1
    return n_part, label, moved


@kernel
def best_paths(source, start, bond, second, strength, best, length, arrived, found, front, value):
    """Best paths from one atom to all others.

    ``best`` (n_atom,) starts at zero, ``length`` is what the paths in it have, and
    ``arrived[k, j]`` the bond by which the best walk of k bonds came to j. ``found`` (n_atom,)
    takes the atoms that were reached, ``front`` (2, n_atom) and ``value`` (n_atom,) are for the
    walk itself. Returns the number of atoms found. Walks that turn round are no better than paths.
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
def scratch(n_atom, longest):
    """Arrays that best_paths works in."""
    return (
        np.zeros(n_atom),
        np.zeros(n_atom, np.int64),
        np.empty((longest + 1, n_atom), np.int64),
        np.empty(n_atom + 1, np.int64),
        np.empty((2, n_atom), np.int64),
        np.empty(n_atom),
    )


@kernel
def walk(i, j, start, bond, first, second, strength, room, path):
    """Value of the best path from i to j, and the number of its half-broken bonds.

    They are written to ``path`` (longest + 1,); ``room`` is what :func:`scratch` returns.
    """
    best, length, arrived, found, front, value = room
    n_found = best_paths(
        i, start, bond, second, strength, best, length, arrived, found, front, value
    )
    n, strong, k, at = 0, best[j], length[j], j
    if strong > 0.0:
        while k > 0:
            b = arrived[k, at]
            if strength[b] < 1.0:
                path[n] = b
                n += 1
            at, k = first[b], k - 1
    for f in range(n_found):
        best[found[f]] = 0.0
    return strong, n


@kernel
def decide(b, strong, start, bond, first, second, strength):
    """Set the ``strength`` (n_bond,) of a bond, both ways."""
    strength[b] = strong
    for c in range(start[second[b]], start[second[b] + 1]):
        if second[bond[c]] == first[b]:
            strength[bond[c]] = strong


@kernel
def to_try(start, bond, second, strength, atom, longest):
    """(n_atom,) how many half-broken bonds are tried for pairs of each atom."""
    n_atom = atom.max() + 1
    out, broken = np.full(n_atom, MOST), (strength < 1.0).any()
    best, length, arrived, found, front, value = scratch(atom.size, longest)
    for i in range(n_atom if broken else 0):
        n_found = best_paths(
            i, start, bond, second, strength, best, length, arrived, found, front, value
        )
        found[n_found], length[i], crowd = i, 0, 0
        for f in range(n_found + 1):
            best[found[f]] = 0.0
            if length[found[f]] < longest:
                for b in range(start[found[f]], start[found[f] + 1]):
                    crowd += strength[bond[b]] < 1.0
        out[i] = max(0, MOST - crowd // CROWD)
    return out


@kernel
def probability(i, j, most, start, bond, first, second, strength, room, bar, strength_bar):
    """U of i and j; adds bar du to ``strength_bar`` (n_bond,) where bar is not zero.

    ``room`` is the scratch of best_paths and the strengths as they are tried, which are what they
    were when all is over: a bond that was tried as present is tried as absent next.
    """
    room, trial = room
    path, tried = np.empty(room[2].shape[0], np.int64), np.empty(MOST, np.int64)
    total, weight, depth = 0.0, 1.0, 0
    while True:
        strong, n = walk(i, j, start, bond, first, second, trial, room, path)
        if 0.0 < strong < 1.0 and depth < most:
            tried[depth] = path[n - 1]
            weight *= strength[path[n - 1]]
            decide(path[n - 1], 1.0, start, bond, first, second, trial)
            depth += 1
            continue
        total += weight * strong
        if bar != 0.0 and strong > 0.0:
            for f in range(n):
                strength_bar[path[f]] += bar * weight * strong / strength[path[f]]
            for d in range(depth):
                b = tried[d]
                part = strength[b] if trial[b] == 1.0 else strength[b] - 1.0
                strength_bar[b] += bar * weight * strong / part
        while depth > 0 and trial[tried[depth - 1]] == 0.0:
            depth -= 1
            b = tried[depth]
            weight /= 1.0 - strength[b]
            decide(b, strength[b], start, bond, first, second, trial)
        if depth == 0:
            return total
        b = tried[depth - 1]
        weight *= (1.0 - strength[b]) / strength[b]
        decide(b, 0.0, start, bond, first, second, trial)


@kernel
def connection(first, second, strength, atom, one, two, longest):
    """(n_pair,) u of pairs of atoms ``one``, nodes ``two``; there is no way to a node -1."""
    start, bond = bond_lists(first, atom.size)
    room = scratch(atom.size, longest), strength.copy()
    best, length, arrived, found, front, value = room[0]
    most = to_try(start, bond, second, strength, atom, longest)
    none, out = np.empty(0), np.zeros(one.size)
    p = 0
    while p < one.size:
        i, begin = one[p], p
        n_found = best_paths(
            i, start, bond, second, strength, best, length, arrived, found, front, value
        )
        while p < one.size and one[p] == i:
            if two[p] >= 0:
                out[p] = best[two[p]]
            p += 1
        for f in range(n_found):
            best[found[f]] = 0.0
        for q in range(begin, p):
            if 0.0 < out[q] < 1.0:
                tries = min(most[i], most[atom[two[q]]])
                out[q] = probability(
                    i, two[q], tries, start, bond, first, second, strength, room, 0.0, none
                )
    return out


@kernel
def connection_adjoint(first, second, strength, atom, one, two, longest, out, out_bar):
    """Adjoint of connection: strength_bar (n_bond,), from u and dL/du."""
    start, bond = bond_lists(first, atom.size)
    room, strength_bar = (scratch(atom.size, longest), strength.copy()), np.zeros(first.size)
    most = to_try(start, bond, second, strength, atom, longest)
    for p in range(one.size):
        if 0.0 < out[p] < 1.0 and out_bar[p] != 0.0:
            tries = min(most[one[p]], most[atom[two[p]]])
            probability(
                one[p], two[p], tries, start, bond, first, second, strength, room,
                out_bar[p], strength_bar,
            )  # fmt: skip
    return strength_bar
