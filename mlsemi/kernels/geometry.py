"""Pairs of atoms: search, distances, harmonics, radial functions, and their adjoints."""

import numpy as np

from mlsemi.kernels.jit import kernel

C0 = 0.5 / np.sqrt(np.pi)
C1 = np.sqrt(3.0 / (4.0 * np.pi))
C2 = 0.5 * np.sqrt(15.0 / np.pi)
C20 = 0.25 * np.sqrt(5.0 / np.pi)


@kernel
def count_pairs(positions, start, cutoff):
    """Number of pairs of positions (n_atom, 3) within ``cutoff``, in each start[s]:start[s+1]."""
    count = 0
    limit = cutoff * cutoff
    for s in range(start.size - 1):
        for i in range(start[s], start[s + 1]):
            for j in range(i + 1, start[s + 1]):
                d2 = 0.0
                for x in range(3):
                    d2 += (positions[j, x] - positions[i, x]) ** 2
                if d2 < limit:
                    count += 2
    return count


@kernel
def find_pairs(positions, start, cutoff, count):
    """Directed pairs (i, j), sorted by i then j: first (count,) and second (count,)."""
    first = np.empty(count, np.int64)
    second = np.empty(count, np.int64)
    limit = cutoff * cutoff
    p = 0
    for s in range(start.size - 1):
        for i in range(start[s], start[s + 1]):
            for j in range(start[s], start[s + 1]):
                if i != j:
                    d2 = 0.0
                    for x in range(3):
                        d2 += (positions[j, x] - positions[i, x]) ** 2
                    if d2 < limit:
                        first[p] = i
                        second[p] = j
                        p += 1
    return first, second


@kernel
def nearest(positions, radius):
    """Nearest neighbour of each atom, in sums of both radii: distance and atom (-1: alone)."""
    n = radius.size
    distance = np.full(n, np.inf)
    partner = np.full(n, -1)
    for i in range(n):
        for j in range(i):
            d2 = 0.0
            for x in range(3):
                d2 += (positions[j, x] - positions[i, x]) ** 2
            ratio = np.sqrt(d2) / (radius[i] + radius[j])
            if ratio < distance[i]:
                distance[i], partner[i] = ratio, j
            if ratio < distance[j]:
                distance[j], partner[j] = ratio, i
    return distance, partner


@kernel
def bonds(positions, radius, limit, partner):
    """Atoms nearer than ``limit`` sums of radii; to ``partner`` (n,) alone where it is not -1.

    Returns start (n + 1,), neighbour (start[-1],): those of atom i are start[i] to start[i + 1].
    """
    n = radius.size
    start = np.zeros(n + 1, np.int64)
    neighbour = np.empty(0, np.int64)
    for fill in range(2):
        p = 0
        for i in range(n):
            for j in range(n):
                d2 = 0.0
                for x in range(3):
                    d2 += (positions[j, x] - positions[i, x]) ** 2
                near = i != j and d2 < (limit * (radius[i] + radius[j])) ** 2
                if near and partner[i] in (-1, j) and partner[j] in (-1, i):
                    if fill:
                        neighbour[p] = j
                    p += 1
            start[i + 1] = p
        if not fill:
            neighbour = np.empty(p, np.int64)
    return start, neighbour


@kernel
def contacts(positions, start, neighbour, radius, heavy, closest, touching, least_bonds):
    """Molecules, and pairs of atoms of one molecule that are near without a bond.

    Distances are in sums of radii. ``closest`` (3,): usual smallest distance with none, one and
    two heavy atoms, at least_bonds[0] bonds apart or more. Pairs nearer than ``touching`` count if
    they are least_bonds[1] (two heavy atoms) or least_bonds[2] bonds apart or more.

    Returns molecule (n,), the atoms of the pair nearest in units of ``closest``, that ratio
    (infinity: no pair), and the number of touching pairs.
    """
    n = radius.size
    molecule, queue = np.full(n, -1), np.empty(n, np.int64)
    n_molecule, n_touching, first, second, worst = 0, 0, -1, -1, np.inf
    for i in range(n):
        hops = np.full(n, -1)
        hops[i], queue[0], end = 0, i, 1
        for head in range(n):
            if head == end:
                break
            a = queue[head]
            for p in range(start[a], start[a + 1]):
                b = neighbour[p]
                if hops[b] < 0:
                    hops[b], queue[end] = hops[a] + 1, b
                    end += 1
        if molecule[i] < 0:
            molecule[queue[:end]] = n_molecule
            n_molecule += 1
        for j in range(i):
            if hops[j] >= least_bonds[0]:
                d2 = 0.0
                for x in range(3):
                    d2 += (positions[j, x] - positions[i, x]) ** 2
                distance = np.sqrt(d2) / (radius[i] + radius[j])
                ratio = distance / closest[heavy[i] + heavy[j]]
                if ratio < worst:
                    first, second, worst = j, i, ratio
                both = heavy[i] + heavy[j] == 2
                if distance < touching and hops[j] >= least_bonds[1 if both else 2]:
                    n_touching += 1
    return molecule, first, second, worst, n_touching


@kernel
def pair_vectors(positions, first, second):
    """Distances r (n_pair,) and unit vectors (n_pair, 3) from first to second atom."""
    n = first.size
    r = np.empty(n)
    unit = np.empty((n, 3))
    for p in range(n):
        d2 = 0.0
        for x in range(3):
            unit[p, x] = positions[second[p], x] - positions[first[p], x]
            d2 += unit[p, x] ** 2
        r[p] = np.sqrt(d2)
        for x in range(3):
            unit[p, x] /= r[p]
    return r, unit


@kernel
def pair_vectors_adjoint(first, second, r, unit, r_bar, unit_bar, positions_bar):
    """Adjoint of pair_vectors; adds to positions_bar: d unit / d d = (1 - u u^T) / r."""
    for p in range(first.size):
        along = 0.0
        for x in range(3):
            along += unit[p, x] * unit_bar[p, x]
        for x in range(3):
            d_bar = r_bar[p] * unit[p, x] + (unit_bar[p, x] - along * unit[p, x]) / r[p]
            positions_bar[second[p], x] += d_bar
            positions_bar[first[p], x] -= d_bar


@kernel
def harmonics(unit):
    """Real orthonormal spherical harmonics, l <= 2, of unit vectors: (n, 9)."""
    out = np.empty((unit.shape[0], 9))
    for p in range(unit.shape[0]):
        x, y, z = unit[p, 0], unit[p, 1], unit[p, 2]
        out[p, 0] = C0
        out[p, 1] = C1 * y
        out[p, 2] = C1 * z
        out[p, 3] = C1 * x
        out[p, 4] = C2 * x * y
        out[p, 5] = C2 * y * z
        out[p, 6] = C20 * (2.0 * z * z - x * x - y * y)
        out[p, 7] = C2 * x * z
        out[p, 8] = 0.5 * C2 * (x * x - y * y)
    return out


@kernel
def harmonics_adjoint(unit, out_bar):
    """Adjoint of harmonics (as polynomials of x, y, z): unit_bar (n, 3)."""
    unit_bar = np.empty_like(unit)
    for p in range(unit.shape[0]):
        x, y, z = unit[p, 0], unit[p, 1], unit[p, 2]
        b = out_bar[p]
        unit_bar[p, 0] = C1 * b[3] + C2 * (y * b[4] + z * b[7] + x * b[8]) - 2.0 * C20 * x * b[6]
        unit_bar[p, 1] = C1 * b[1] + C2 * (x * b[4] + z * b[5] - y * b[8]) - 2.0 * C20 * y * b[6]
        unit_bar[p, 2] = C1 * b[2] + C2 * (y * b[5] + x * b[7]) + 4.0 * C20 * z * b[6]
    return unit_bar


@kernel
def radial(r, cutoff, decay, centers, sharpness):
    """Radial functions (n, n_radial) exp(-b (exp(-a r) - m_n)^2) f(r/rc), and f itself (n,)."""
    out = np.empty((r.size, centers.size))
    envelope = np.empty(r.size)
    for p in range(r.size):
        x = r[p] / cutoff
        x6 = x**6
        f = 1.0 - 28.0 * x6 + 48.0 * x6 * x - 21.0 * x6 * x * x
        envelope[p] = f
        t = np.exp(-decay * r[p])
        for n in range(centers.size):
            out[p, n] = np.exp(-sharpness * (t - centers[n]) ** 2) * f
    return out, envelope


@kernel
def radial_adjoint(r, cutoff, decay, centers, sharpness, out_bar, envelope_bar):
    """Adjoint of radial: r_bar (n,)."""
    r_bar = np.empty(r.size)
    for p in range(r.size):
        x = r[p] / cutoff
        x5 = x**5
        f = 1.0 - 28.0 * x5 * x + 48.0 * x5 * x * x - 21.0 * x5 * x * x * x
        df = (-168.0 * x5 + 336.0 * x5 * x - 168.0 * x5 * x * x) / cutoff
        t = np.exp(-decay * r[p])
        total = envelope_bar[p] * df
        for n in range(centers.size):
            g = np.exp(-sharpness * (t - centers[n]) ** 2)
            dg = g * 2.0 * sharpness * (t - centers[n]) * decay * t
            total += out_bar[p, n] * (g * df + dg * f)
        r_bar[p] = total
    return r_bar
