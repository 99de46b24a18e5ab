"""D4: neighbours, atoms between their references, pairs and triples of atoms, with their slopes.

Atoms come sorted along one axis, so that those in reach of one another are found by a sweep.
"""

from math import erfc, exp, pi, sqrt

import numpy as np

from mlsemi.kernels.jit import kernel

STEEP, BOND_REACH = 7.5, 1.75
"""Steepness of the count of bonds, and where it has fallen below 1e-15, in sums of radii."""

HEIGHT, STEEPNESS, SHARPNESS = 3.0, 2.0, 6.0
"""D4's scaling by charge, and its sharpness between reference coordination numbers."""


@kernel
def neighbours(positions, reach):
    """Pairs nearer than ``reach``: start (n + 1,), index and squared distance (start[-1],).

    Neighbours j > i of atom i are start[i] to start[i + 1]; ``positions`` (3, n) ascend in row 0.
    """
    n = positions.shape[1]
    start = np.zeros(n + 1, np.int64)
    index, squared = np.empty(0, np.int64), np.empty(0)
    for fill in range(2):
        p = 0
        for i in range(n):
            for j in range(i + 1, n):
                x = positions[0, j] - positions[0, i]
                if x >= reach:
                    break
                y = positions[1, j] - positions[1, i]
                z = positions[2, j] - positions[2, i]
                r2 = x * x + y * y + z * z
                if r2 < reach * reach:
                    if fill:
                        index[p], squared[p] = j, r2
                    p += 1
            start[i + 1] = p
        if not fill:
            index, squared = np.empty(p, np.int64), np.empty(p)
    return start, index, squared


@kernel
def bonds(start, index, squared, radius, electronegativity):
    """Counts of bonds 1/2 erfc(7.5 (r / R - 1)), R the sum of the radii, and their sums.

    Returns
    -------
    cn : (2, n) array
        Coordination numbers of D4, weighted by differences of electronegativity, and of its
        charges.
    first, at : (n_bond,) arrays
        Smaller atom of each bond, and its place in the list of neighbours.
    values : (3, n_bond) array
        Count, its weight, its derivative by the squared distance.
    """
    n, n_bond = radius.size, 0
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            R = BOND_REACH * (radius[i] + radius[index[p]])
            n_bond += squared[p] < R * R
    cn, values = np.zeros((2, n)), np.empty((3, n_bond))
    first, at = np.empty(n_bond, np.int64), np.empty(n_bond, np.int64)
    b = 0
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            j, r = index[p], sqrt(squared[p])
            R = radius[i] + radius[j]
            if r >= BOND_REACH * R:
                continue
            t = STEEP * (r / R - 1.0)
            apart = abs(electronegativity[i] - electronegativity[j]) + 19.08857
            first[b], at[b] = i, p
            values[0, b] = 0.5 * erfc(t)
            values[1, b] = 4.10451 * exp(-apart * apart / (2.0 * 11.28174 * 11.28174))
            values[2, b] = -STEEP / sqrt(pi) * exp(-t * t) / (2.0 * R * r)
            for atom in (i, j):
                cn[0, atom] += values[1, b] * values[0, b]
                cn[1, atom] += values[0, b]
            b += 1
    return cn, first, at, values


@kernel
def bonds_adjoint(index, first, at, values, positions, cn_bar, gradient):
    """Add to the gradient (3, n) the cotangent (2, n) of the sums of :func:`bonds`."""
    for b in range(first.size):
        i, j = first[b], index[at[b]]
        pull = values[1, b] * (cn_bar[0, i] + cn_bar[0, j]) + cn_bar[1, i] + cn_bar[1, j]
        for c in range(3):
            force = 2.0 * values[2, b] * pull * (positions[c, j] - positions[c, i])
            gradient[c, j] += force
            gradient[c, i] -= force


@kernel
def between_references(species, cn, charge, hardness, core, table, factors):
    """Factors a of the polarisability of each atom, C6_ij = a_i . a_j, and their derivatives.

    a = sum_r w_r(cn) zeta_r(q) factors_r, with Gaussian weights around the coordination numbers of
    an element's references and D4's scaling by charge.

    Parameters
    ----------
    species : (n,) integer array
        Row of each atom in the tables.
    cn, charge : (n,) arrays
    hardness, core : (n_element,) arrays
        D4's hardness and effective nuclear charge.
    table : (3, n_element, n_reference) array
        Coordination number, charge and number of Gaussians of the references (0: none).
    factors : (n_element, n_reference, rank) array

    Returns
    -------
    (3, n, rank) array
        a, its derivative by ``cn`` and by ``charge``.
    """
    n_reference, rank = factors.shape[1:]
    out = np.zeros((3, species.size, rank))
    weight, slope = np.empty(n_reference), np.empty(n_reference)
    for i in range(species.size):
        s = species[i]
        nearest = np.inf
        for r in range(n_reference):
            if table[2, s, r] > 0.0:
                nearest = min(nearest, (cn[i] - table[0, s, r]) ** 2)
        norm, norm_slope = 0.0, 0.0
        for r in range(n_reference):
            weight[r], slope[r] = 0.0, 0.0
            apart = cn[i] - table[0, s, r]
            for m in range(1, int(table[2, s, r]) + 1):
                bell = exp(-SHARPNESS * m * apart**2 + SHARPNESS * nearest)
                weight[r] += bell
                slope[r] -= 2.0 * SHARPNESS * m * apart * bell
            norm += weight[r]
            norm_slope += slope[r]
        for r in range(n_reference):
            w = weight[r] / norm
            w_slope = (slope[r] - w * norm_slope) / norm
            zeta, zeta_slope = exp(HEIGHT), 0.0
            inside = core[s] + charge[i]
            if inside > 0.0:
                c = STEEPNESS * hardness[s]
                ratio = (core[s] + table[1, s, r]) / inside
                lowered = exp(c * (1.0 - ratio))
                zeta = exp(HEIGHT * (1.0 - lowered))
                zeta_slope = -HEIGHT * zeta * lowered * c * ratio / inside
            for k in range(rank):
                out[0, i, k] += w * zeta * factors[s, r, k]
                out[1, i, k] += w_slope * zeta * factors[s, r, k]
                out[2, i, k] += w * zeta_slope * factors[s, r, k]
    return out


@kernel
def pairs(positions, a, moment, damping, reach, width):
    """Energy of pairs, -C6 (s6 / (r^6 + R^6) + s8 m / (r^8 + R^8)), faded out before ``reach``.

    m = 3 moment_i moment_j, R = a1 m^1/2 + a2, C6 = a_i . a_j.

    Parameters
    ----------
    positions : (3, n) array
        Ascending in row 0.
    a : (n, rank) array
    moment : (n,) array
    damping : (4,) array
        s6, s8, a1, a2.
    reach, width : float
        Where the energy ends, and the width in which it fades out.

    Returns
    -------
    energy : float
    gradient : (3, n) array
        At constant C6.
    a_bar : (n, rank) array
    """
    n, rank = a.shape
    s6, s8, a1, a2 = damping[0], damping[1], damping[2], damping[3]
    gradient, a_bar = np.zeros((3, n)), np.zeros((n, rank))
    near, squared, both = np.empty(n, np.int64), np.empty(n), np.empty(n)
    c6, value, push = np.empty(n), np.empty(n), np.empty(n)
    energy = 0.0
    for i in range(n):
        m = 0
        for j in range(i + 1, n):
            x = positions[0, j] - positions[0, i]
            if x >= reach:
                break
            y = positions[1, j] - positions[1, i]
            z = positions[2, j] - positions[2, i]
            near[m], squared[m] = j, x * x + y * y + z * z
            m += squared[m] < reach * reach
        for q in range(m):
            j, total = near[q], 0.0
            for k in range(rank):
                total += a[i, k] * a[j, k]
            c6[q], both[q] = total, 3.0 * moment[i] * moment[j]
        for q in range(m):
            r2 = squared[q]
            r = sqrt(r2)
            t = (reach - r) / width
            t = 1.0 if t > 1.0 else t
            fade = t * t * t * (10.0 + t * (6.0 * t - 15.0))
            fall = -30.0 * t * t * (1.0 - t) * (1.0 - t) / (width * r)
            R = a1 * sqrt(both[q]) + a2
            R2 = R * R
            r4, R4 = r2 * r2, R2 * R2
            six, eight = 1.0 / (r4 * r2 + R4 * R2), 1.0 / (r4 * r4 + R4 * R4)
            plain = -s6 * six - s8 * both[q] * eight
            slope = 6.0 * s6 * r4 * six * six + 8.0 * s8 * both[q] * r4 * r2 * eight * eight
            value[q] = plain * fade
            push[q] = c6[q] * (slope * fade + plain * fall)
            energy += c6[q] * value[q]
        for q in range(m):
            j = near[q]
            for c in range(3):
                force = push[q] * (positions[c, j] - positions[c, i])
                gradient[c, j] += force
                gradient[c, i] -= force
            for k in range(rank):
                a_bar[i, k] += value[q] * a[j, k]
                a_bar[j, k] += value[q] * a[i, k]
    return energy, gradient, a_bar


@kernel
def triple_factors(start, index, squared, a, moment, damping, reach, width):
    """What a triple takes from each of its pairs: u = C6^1/2 fade / r^3, h = (R / r)^(16/3).

    Also C6 and the logarithmic derivative of u by the squared distance; for a = (n, rank).
    """
    m = index.size
    u, h, c6, slope = np.empty(m), np.empty(m), np.empty(m), np.zeros(m)
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            j, r2 = index[p], squared[p]
            c = 0.0
            for k in range(a.shape[1]):
                c += a[i, k] * a[j, k]
            r = sqrt(r2)
            t = min((reach - r) / width, 1.0)
            fade = t * t * t * (10.0 + t * (6.0 * t - 15.0))
            R = damping[2] * sqrt(3.0 * moment[i] * moment[j]) + damping[3]
            c6[p] = c
            u[p] = sqrt(c) * fade / (r2 * r)
            h[p] = (R / r) ** (16.0 / 3.0)
            slope[p] = -1.5 / r2
            if t < 1.0:
                slope[p] -= 15.0 * t * t * (1.0 - t) ** 2 / (width * r * fade)
    return u, h, c6, slope


@kernel
def triples(start, index, squared, u, h):
    """Energies of triples, u_ij u_jk u_ki (1 + 3 cos cos cos) / (1 + 6 h_ij h_jk h_ki), by pairs.

    Every triple counts for each of its three pairs. What atom i says of all others lies in rows,
    neutral where it says nothing, so that the loop over k has no branch and fills vector units.

    Parameters
    ----------
    start, index, squared : arrays
        Of :func:`neighbours`.
    u, h : (start[-1],) arrays
        Of :func:`triple_factors`.

    Returns
    -------
    (2, start[-1]) array
        Energy of all triples of the pair, and its derivative by the logarithm of the squared
        distance at constant u.
    """
    n = start.size - 1
    most = 0
    for i in range(n):
        most = max(most, start[i + 1] - start[i])
    rows, sums, out = np.zeros((3, n)), np.zeros((2, n)), np.zeros((2, index.size))
    rows[2] = 1.0
    u_ik, h_ik, r_ik = np.empty(most), np.empty(most), np.empty(most)
    energy, s_ik, s_jk = np.empty(most), np.empty(most), np.empty(most)
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            rows[0, index[p]], rows[1, index[p]], rows[2, index[p]] = u[p], h[p], squared[p]
        for p in range(start[i], start[i + 1]):
            begin, end = start[index[p]], start[index[p] + 1]
            for q in range(begin, end):
                k = np.uint64(index[q])
                u_ik[q - begin], h_ik[q - begin] = rows[0, k], rows[1, k]
                r_ik[q - begin] = rows[2, k]
            u_jk, h_jk, r_jk = u[begin:end], h[begin:end], squared[begin:end]
            ij, e_ij, s_ij, u_ij, h_ij = squared[p], 0.0, 0.0, u[p], 6.0 * h[p]
            for q in range(end - begin):
                jk, ik = r_jk[q], r_ik[q]
                H = h_ij * h_ik[q] * h_jk[q]
                product = ij * ik * jk
                inverse = 1.0 / (product * (1.0 + H))
                weight = u_ij * u_ik[q] * u_jk[q] * inverse * product
                turn = 0.375 * inverse * (1.0 + H)
                one, two, three = ij + ik - jk, ij + jk - ik, ik + jk - ij
                x, y, z = two * three, one * three, one * two
                angle = turn * one * x
                turn *= weight
                energy[q] = weight + weight * angle
                common = 8.0 / 3.0 * H * inverse * product * energy[q] - weight * angle
                e_ij += energy[q]
                s_ij += common + turn * ij * (x + y - z)
                s_jk[q] = common + turn * jk * (y + z - x)
                s_ik[q] = common + turn * ik * (x + z - y)
            out[0, p] += e_ij
            out[1, p] += s_ij
            for q in range(begin, end):
                k = np.uint64(index[q])
                out[0, q] += energy[q - begin]
                out[1, q] += s_jk[q - begin]
                sums[0, k] += energy[q - begin]
                sums[1, k] += s_ik[q - begin]
        for p in range(start[i], start[i + 1]):
            k = index[p]
            out[0, p] += sums[0, k]
            out[1, p] += sums[1, k]
            sums[0, k], sums[1, k], rows[0, k], rows[1, k], rows[2, k] = 0.0, 0.0, 0.0, 0.0, 1.0
    return out


@kernel
def triples_adjoint(start, index, positions, a, pair, gradient):
    """Add the slopes of triples to the gradient (3, n); a_bar (n, rank).

    Parameters
    ----------
    start, index : arrays
        Lists of neighbours.
    positions : (3, n) array
    a : (n, rank) array
    pair : (2, start[-1]) array
        Derivatives by the squared distance and by C6.
    gradient : (3, n) array
    """
    n, rank = a.shape
    a_bar = np.zeros((n, rank))
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            for k in range(rank):
                a_bar[i, k] += pair[1, p] * a[j, k]
                a_bar[j, k] += pair[1, p] * a[i, k]
            for c in range(3):
                force = 2.0 * pair[0, p] * (positions[c, j] - positions[c, i])
                gradient[c, j] += force
                gradient[c, i] -= force
    return a_bar
