"""Slow, obvious twins of the kernels, written from the equations.

All work with complex numbers as well, so one generic adjoint serves every one of them: the
Jacobian element by element with an imaginary step, exact to machine precision.
"""

from itertools import combinations_with_replacement, pairwise, permutations, product

import numpy as np
from scipy.sparse.csgraph import shortest_path

from mlsemi.symmetry.so3 import L_MAX, clebsch_gordan, components


def adjoint(function, arrays, n, *y_bar):
    """x_bar of argument ``n`` of ``function(*arrays)``: sum over outputs of y_bar dy/dx."""
    step = 1e-30
    out = np.zeros(np.shape(arrays[n]))
    for at in np.ndindex(out.shape):
        moved = [np.asarray(a, dtype=complex) for a in arrays]
        moved[n] = moved[n].copy()
        moved[n][at] += 1j * step
        y = function(*moved)
        y = y if isinstance(y, tuple) else (y,)
        out[at] = sum(np.sum(b * v.imag) for v, b in zip(y, y_bar, strict=True)) / step
    return out


def kind(*arrays):
    return np.result_type(float, *arrays)


# connection


def connection(first, second, strength, n_atom, one, two, longest):
    """Every half-broken bond present or absent, in all combinations, with its probability."""
    half = {(i, j): b for i, j, b in zip(first, second, strength, strict=True) if 0 < b.real < 1}
    undirected = sorted({(min(pair), max(pair)) for pair in half})
    whole = {pair for pair, b in zip(zip(first, second), strength) if b.real == 1.0}  # noqa: B905
    out = np.zeros(len(one), kind(strength))
    for present in product((False, True), repeat=len(undirected)):
        chance, bonds = 1.0, set(whole)
        for (i, j), there in zip(undirected, present, strict=True):
            b = 0.5 * (half[i, j] + half[j, i])
            chance = chance * (b if there else 1.0 - b)
            bonds |= {(i, j), (j, i)} if there else set()
        step = np.zeros((n_atom, n_atom), dtype=bool)
        for i, j in bonds:
            step[i, j] = True
        reached = np.linalg.matrix_power(np.eye(n_atom) + step, longest) > 0
        out = out + chance * reached[one, two]
    return out


# multipoles


def interaction(a, b, vector, width2):
    """Gaussian multipoles: the operators on erf(k r) / r = 2 pi^-1/2 int_0^k exp(-r^2 t^2) dt,
    whose n-th (1/r) d/dr is an integral as well.
    """
    x, weight = np.polynomial.legendre.leggauss(60)
    r = np.sqrt(np.sum(np.real(vector) ** 2))
    k = min(1.0 / np.sqrt(width2), 7.0 / r)  # nothing is left beyond
    t = 0.5 * k * (x + 1.0)
    value = weight * k / np.sqrt(np.pi) * np.exp(-(vector @ vector) * t * t)
    g = [np.sum(value * (-2.0 * t * t) ** n) for n in range(5)]
    d, one, two, three, four = np.eye(3), vector, *(_power(vector, n) for n in (2, 3, 4))
    first = g[1] * one
    second = g[2] * two + g[1] * d
    third = g[3] * three + g[2] * _summed(np.multiply.outer(d, one), 3)
    fourth = g[4] * four + g[3] * _summed(np.multiply.outer(d, two), 6)
    fourth = fourth + g[2] * _summed(np.multiply.outer(d, d), 3)
    (q, mu, theta), (p, nu, phi) = (_cartesian(m) for m in (a, b))
    minus_i = q, -mu, theta  # d/dr_i = -d/dR
    out = minus_i[0] * (p * g[0] + nu @ first + np.sum(phi * second))
    out = out + minus_i[1] @ (p * first + second @ nu + np.tensordot(third, phi, 2))
    last = p * second + third @ nu + np.tensordot(fourth, phi, 2)
    return out + np.sum(minus_i[2] * last)


def _power(vector, n):
    out = vector
    for _ in range(n - 1):
        out = np.multiply.outer(out, vector)
    return out


def _summed(tensor, count):
    """Over the ``count`` different orders of the axes of a product of symmetric parts."""
    every = [tensor.transpose(p) for p in permutations(range(tensor.ndim))]
    return sum(every) * (count / len(every))


def _cartesian(moments):
    theta = np.zeros((3, 3), kind(moments))
    theta[np.triu_indices(3)] = moments[4:]
    return moments[0], moments[1:4], theta + np.triu(theta, 1).T


def all_pairs(positions, blocks, squared, part, moments):
    energies = np.zeros(len(positions), kind(positions, moments))
    for a, b in blocks:
        for i in range(a, b):
            for j in range(i + 1, b):
                if part[i] == part[j]:
                    continue
                e = interaction(
                    moments[i], moments[j], positions[j] - positions[i], squared[i] + squared[j]
                )
                energies[[i, j]] += 0.5 * e
    return energies


def chosen_pairs(first, second, vectors, squared, moments, share):
    energies = np.zeros(len(moments), kind(vectors, moments, share))
    for i, j, vector, part in zip(first, second, vectors, share, strict=True):
        e = part * interaction(moments[i], moments[j], vector, squared[i] + squared[j])
        energies[[i, j]] += 0.5 * e
    return energies


# geometry


def pairs(positions, start, cutoff):
    """Directed pairs inside each block of atoms."""
    found = []
    for a, b in pairwise(start):
        for i in range(a, b):
            for j in range(a, b):
                if i != j and np.linalg.norm(positions[j] - positions[i]) < cutoff:
                    found.append((i, j))
    return np.array(found, dtype=int).reshape(-1, 2).T


def nearest(positions, radius):
    ratio = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    ratio /= radius[:, None] + radius[None]
    np.fill_diagonal(ratio, np.inf)
    return ratio.min(axis=1), ratio.argmin(axis=1)


def pair_vectors(positions, first, second):
    d = positions[second] - positions[first]
    r = np.sqrt((d * d).sum(axis=1))
    return r, d / r[:, None]


def harmonics(unit):
    """Racah's solid harmonics up to l = 2, orthonormalised; order m = -l..l."""
    x, y, z = unit.T
    one = np.ones_like(x)
    rows = [
        np.sqrt(1 / (4 * np.pi)) * one,
        *(np.sqrt(3 / (4 * np.pi)) * p for p in (y, z, x)),
        *(
            np.sqrt(5 / (4 * np.pi)) * p
            for p in (
                np.sqrt(3) * x * y,
                np.sqrt(3) * y * z,
                z * z - 0.5 * (x * x + y * y),
                np.sqrt(3) * x * z,
                np.sqrt(0.75) * (x * x - y * y),
            )
        ),
    ]
    return np.stack(rows, axis=1)


def radial(r, cutoff, decay, centers, sharpness):
    x = r / cutoff
    envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    gauss = np.exp(-sharpness * (np.exp(-decay * r)[:, None] - centers[None, :]) ** 2)
    return gauss * envelope[:, None], envelope


# densities and messages


def density(first, second_species, basis, sphere, n_atom, n_species):
    """<a n l m | rho_i> = sum_j delta(a, a_j) R_n(r_ij) Y_lm(r_ij), theory eq 2."""
    out = np.zeros((n_atom, sphere.shape[1], n_species, basis.shape[1]), dtype=kind(basis, sphere))
    for p, (i, a) in enumerate(zip(first, second_species, strict=True)):
        out[i, :, a, :] += np.outer(sphere[p], basis[p])
    return out.reshape(n_atom, sphere.shape[1], -1)


def open_gates(linear, gate):
    """Degree 0 gets its part of the gate added, the others are scaled by one plus theirs."""
    parts = np.split(gate[:, None], L_MAX + 1, axis=2)
    scaled = [linear[:, components(l)] * (1.0 + parts[l]) for l in range(1, L_MAX + 1)]
    return np.concatenate([linear[:, :1] + parts[0], *scaled], axis=1)


def scalar_products(features, n_own):
    """Scalars of atom and message, then all scalar products of one degree between them."""
    sides = np.split(features, features.shape[2] // n_own, axis=2)
    rows = [side[:, 0] for side in sides]
    for l in range(1, L_MAX + 1):
        for a, b in combinations_with_replacement(sides, 2):
            rows.append(np.einsum("imk,imk->ik", a[:, components(l)], b[:, components(l)]))
    return np.concatenate(rows, axis=1)


def messages(first, second, sphere, weights, nodes, paths, offsets, n_out):
    """sum_j w_path(r_ij) CG(Y_l1(r_ij), node_j,l2)."""
    out = np.zeros((nodes.shape[0], n_out, nodes.shape[2]), dtype=kind(sphere, weights, nodes))
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        for q, ((l1, l2, l), o) in enumerate(zip(paths, offsets, strict=True)):
            out[i, o : o + 2 * l + 1] += np.einsum(
                "abc,a,bk,k->ck",
                clebsch_gordan(l1, l2, l),
                sphere[p, components(l1)],
                nodes[j, components(l2)],
                weights[p, q],
            )
    return out


# couplings


def couple(a, b, paths, offsets, n_out):
    """Channel by channel, theory eq 3."""
    out = np.zeros((a.shape[0], n_out, a.shape[2]), dtype=kind(a, b))
    for (l1, l2, l), o in zip(paths, offsets, strict=True):
        out[:, o : o + 2 * l + 1] += np.einsum(
            "abc,xak,xbk->xck",
            clebsch_gordan(l1, l2, l),
            a[:, components(l1)],
            b[:, components(l2)],
        )
    return out


def read_irreps(features, label, maps, degree):
    """Irrep by irrep: sum_k w_label,k f_mk for the components m of its degree."""
    return np.concatenate(
        [
            np.einsum("imk,ik->im", features[:, components(l)], maps[label, :, n])
            for n, l in enumerate(degree)
        ],
        axis=1,
    )


def radial_irreps(basis, sphere, label, maps, degree, place, n_out):
    """Irrep by irrep: a function of the distance times the harmonics of its degree."""
    out = np.zeros((len(label), n_out))
    for n, (l, o) in enumerate(zip(degree, place, strict=True)):
        values = np.sum(basis * maps[label, :, n], axis=1)
        out[:, o : o + 2 * l + 1] += values[:, None] * sphere[:, components(l)]
    return out


def bond_invariants(first, second, sphere, nodes):
    """sum_m Y_lm(r_ij) node_lmk: first all degrees of atom i, then of atom j."""
    rows = []
    for p, pair in enumerate(zip(first, second, strict=True)):
        rows.append(
            [
                sphere[p, components(l)] @ nodes[atom, components(l)]
                for atom in pair
                for l in range(int(np.sqrt(sphere.shape[1])))
            ]
        )
    return np.array(rows).reshape(len(first), -1)


def mix_channels(weights, node_i, node_j, degree, n_sphere):
    both = np.concatenate([node_i, node_j], axis=1)
    out = np.zeros((len(degree), n_sphere), dtype=kind(weights, both))
    for q, l in enumerate(degree):
        out[q, components(l)] = both[components(l)] @ weights[q]
    return out


def bond_tensors(first, second, label, sphere, raw, scale, nodes, paths, offsets, n_out):
    """sum_paths CG(Y_l1(r_ij), sum_k w_k (node_i, node_j)_l2,k), theory eq 4."""
    out = np.zeros((len(first), n_out), dtype=kind(sphere, raw, scale, nodes))
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        both = np.concatenate([nodes[i], nodes[j]], axis=1)
        for q, ((l1, l2, l), o) in enumerate(zip(paths, offsets, strict=True)):
            out[p, o : o + 2 * l + 1] += np.einsum(
                "abc,a,bk,k->c",
                clebsch_gordan(l1, l2, l),
                sphere[p, components(l1)],
                both[components(l2)],
                raw[p, q] * scale[label[p], q],
            )
    return out


# blocks


def pp_block(irreps):
    """3 x 3 block from its irreps of degree 0, 1, 2 (9 numbers), theory eq 5 inverted."""
    parts = (irreps[0:1], irreps[1:4], irreps[4:9])
    return sum(clebsch_gordan(1, 1, l) @ part for l, part in enumerate(parts))


def add_pairs(first, second, orbital, has_p, irreps, n_orbital):
    """The symmetric matrix itself: each directed pair gives half of ss and pp, and all of sp."""
    out = np.zeros((n_orbital, n_orbital), dtype=kind(irreps))
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        a, b = orbital[i], orbital[j]
        pi, pj = slice(a + 1, a + 4), slice(b + 1, b + 4)
        block = np.zeros_like(out)
        block[a, b] = 0.5 * irreps[p, 0]
        if has_p[j]:
            block[a, pj] = irreps[p, 1:4]
        if has_p[i] and has_p[j]:
            block[pi, pj] = 0.5 * pp_block(irreps[p, 4:13])
        out += block + block.T
    return out


def add_atoms(atoms, orbital, has_p, irreps, n_orbital):
    """On-site blocks: ss, sp, and the symmetric pp of degree 0 and 2."""
    out = np.zeros((n_orbital, n_orbital), dtype=kind(irreps))
    for i in atoms:
        s, p = orbital[i], slice(orbital[i] + 1, orbital[i] + 4)
        out[s, s] = irreps[i, 0]
        if has_p[i]:
            out[s, p] = out[p, s] = irreps[i, 1:4]
            out[p, p] = pp_block(np.concatenate([irreps[i, 4:5], np.zeros(3), irreps[i, 5:10]]))
    return out


# perturbation theory


def transition_populations(orbitals, n_occupied, group, n_group):
    occupied, virtual = orbitals[:, :n_occupied], orbitals[:, n_occupied:]
    out = np.zeros((n_group, n_occupied, virtual.shape[1]), kind(orbitals))
    for mu, g in enumerate(group):
        out[g] += np.outer(occupied[mu], virtual[mu])
    return out


def bonds(positions, radius, limit, partner):
    """(n, n) whether two atoms are bonded."""
    near = np.linalg.norm(positions[:, None] - positions, axis=2) < limit * np.add.outer(
        radius, radius
    )
    index = np.arange(len(radius))
    may = (partner[:, None] == -1) | (partner[:, None] == index)
    return near & may & may.T & ~np.eye(len(radius), dtype=bool)


def contacts(positions, bonded, radius, heavy, closest, touching, least_bonds):
    """Molecules, the nearest pair in units of ``closest`` with its ratio, number that touch."""
    n = len(radius)
    hops = shortest_path(bonded, unweighted=True)
    molecule = np.full(n, -1)
    for i in range(n):
        if molecule[i] < 0:
            molecule[np.isfinite(hops[i])] = molecule.max() + 1
    distance = np.linalg.norm(positions[:, None] - positions, axis=2) / np.add.outer(radius, radius)
    n_heavy = np.add.outer(heavy, heavy)
    pairs = [(j, i) for i in range(n) for j in range(i) if np.isfinite(hops[j, i])]
    ratios = {p: distance[p] / closest[n_heavy[p]] for p in pairs if hops[p] >= least_bonds[0]}
    first, second = min(ratios, key=ratios.get, default=(-1, -1))
    far = [p for p in pairs if hops[p] >= least_bonds[1 if n_heavy[p] == 2 else 2]]
    n_touching = sum(distance[p] < touching for p in far)
    return molecule, first, second, ratios.get((first, second), np.inf), n_touching
