"""Loops of the one-electron integrals between s and p Gaussians, and their adjoints.

For primitives a on A and b on B write R = B - A, p = a + b, u = b/p, v = -a/p, h = 1/(2p) and
E = (pi/p)^3/2 exp(-(ab/p) R^2). The Gaussian product theorem gives, with the index i on A and
the index j on B (Cartesian axes), lengths measured from the centre of each function,

    <s|s> = E          <p_i|s> = u R_i E          <s|p_j> = v R_j E
    <p_i|p_j> = (u v R_i R_j + h d_ij) E
    <s|r_k|s> = u R_k E         (r from A, here and below)
    <p_i|r_k|s> = (u^2 R_i R_k + h d_ik) E      <s|r_k|p_j> = (u v R_k R_j + h d_jk) E
    <p_i|r_k|p_j> = (u^2 v R_i R_j R_k + h v d_ik R_j + h u d_jk R_i + h u d_ij R_k) E

R leaves the sums over primitives except through exp(-(ab/p) R^2), so per pair of atoms only 13
scalar functions f of R^2 are summed (``radial_sums``) from tables that depend on the pair of
elements (``radial_table``). With e = (1, R) the blocks are

    S_ij  = f[t] e_i e_j + d_ij f[4],   t = 0, 1, 2, 3 for ss, ps, sp, pp                   (a)
    D_kij = f[5 + t] e_i e_j R_k + d_ik f[9 + (j is p)] e_j + d_jk f[11 + (i is p)] e_i
            + d_ij f[12] R_k                                                                (b)

where deltas hold between Cartesian axes only. p orbitals come in the order y, z, x; the loops
carry R in that order as well, so that orbital i of an atom belongs to axis i - 1.
"""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.jit import kernel

AXIS = (1, 2, 0)
N_OVERLAP = 5
N_RADIAL = 13
NEGLIGIBLE = 41.0
"""exp(-41) = 2e-18: a primitive pair dropped there moves no integral by more than 1e-15."""


@kernel
def radial_table(exponents: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the radial functions for every pair of elements.

    Parameters
    ----------
    exponents : (n_species, n_primitive)
    coefficients : (n_species, 2, n_primitive)

    Returns
    -------
    damping : (n_species, n_species, n_primitive^2)
        a b / (a + b) of each primitive pair.
    weight : (n_species, n_species, n_primitive^2, 13)
        f[t](R^2) = sum_k weight[k, t] exp(-damping[k] R^2).
    """
    n_species, n_primitive = exponents.shape
    damping = np.empty((n_species, n_species, n_primitive * n_primitive))
    weight = np.empty((n_species, n_species, n_primitive * n_primitive, N_RADIAL))
    for x in range(n_species):
        for y in range(n_species):
            for k in range(n_primitive * n_primitive):
                i, j = k // n_primitive, k % n_primitive
                a, b = exponents[x, i], exponents[y, j]
                p = a + b
                u, v, h = b / p, -a / p, 0.5 / p
                volume = (np.pi / p) * np.sqrt(np.pi / p)
                ss = volume * coefficients[x, 0, i] * coefficients[y, 0, j]
                ps = volume * coefficients[x, 1, i] * coefficients[y, 0, j]
                sp = volume * coefficients[x, 0, i] * coefficients[y, 1, j]
                pp = volume * coefficients[x, 1, i] * coefficients[y, 1, j]
                damping[x, y, k] = a * u
                w = weight[x, y, k]
                w[0], w[1], w[2], w[3], w[4] = ss, u * ps, v * sp, u * v * pp, h * pp
                w[5], w[6], w[7], w[8] = u * ss, u * u * ps, u * v * sp, u * u * v * pp
                w[9], w[10] = h * ps, h * v * pp
                w[11], w[12] = h * sp, h * u * pp
    return damping, weight


@kernel
def radial_sums(
    damping: np.ndarray, weight: np.ndarray, r2: float, f: np.ndarray, slope: np.ndarray
) -> None:
    """Radial functions f(R^2) and their slopes df/dR^2; as many as ``f`` has room for."""
    f[:] = 0.0
    slope[:] = 0.0
    for k in range(damping.size):
        argument = damping[k] * r2
        if argument < NEGLIGIBLE:
            gaussian = np.exp(-argument)
            for t in range(f.size):
                term = gaussian * weight[k, t]
                f[t] += term
                slope[t] -= damping[k] * term


@kernel
def separation(positions: np.ndarray, a: int, b: int, e: np.ndarray) -> float:
    """Write e = (1, R) with R = B - A in the order y, z, x; returns R^2."""
    e[0] = 1.0
    for i in range(3):
        e[i + 1] = positions[b, AXIS[i]] - positions[a, AXIS[i]]
    return e[1] * e[1] + e[2] * e[2] + e[3] * e[3]


@kernel
def overlap_element(f: np.ndarray, e: np.ndarray, i: int, j: int) -> float:
    """S_ij of a pair block, eq (a)."""
    value = f[(i > 0) + 2 * (j > 0)] * e[i] * e[j]
    return value + f[4] if i == j and i > 0 else value


@kernel
def overlap_gradient(
    f: np.ndarray, slope: np.ndarray, e: np.ndarray, i: int, j: int, gradient: np.ndarray
) -> None:
    """Write dS_ij / dR of a pair block, eq (a)."""
    t = (i > 0) + 2 * (j > 0)
    along = slope[t] * e[i] * e[j]
    if i == j and i > 0:
        along += slope[4]
    for k in range(3):
        gradient[k] = 2.0 * e[k + 1] * along
    if i > 0:
        gradient[i - 1] += f[t] * e[j]
    if j > 0:
        gradient[j - 1] += f[t] * e[i]


@kernel
def dipole_element(f: np.ndarray, e: np.ndarray, i: int, j: int, D: np.ndarray) -> None:
    """Write the vector D_ij of a pair block, measured from A, eq (b)."""
    along = f[5 + (i > 0) + 2 * (j > 0)] * e[i] * e[j]
    if i == j and i > 0:
        along += f[12]
    for k in range(3):
        D[k] = along * e[k + 1]
    if i > 0:
        D[i - 1] += f[9 + (j > 0)] * e[j]
    if j > 0:
        D[j - 1] += f[11 + (i > 0)] * e[i]


@kernel
def dipole_element_adjoint(
    bar: np.ndarray,
    f: np.ndarray,
    e: np.ndarray,
    i: int,
    j: int,
    f_bar: np.ndarray,
    e_bar: np.ndarray,
) -> None:
    """Adjoint of :func:`dipole_element`: adds to f_bar and e_bar."""
    t = 5 + (i > 0) + 2 * (j > 0)
    along = f[t] * e[i] * e[j]
    along_bar = bar[0] * e[1] + bar[1] * e[2] + bar[2] * e[3]
    if i == j and i > 0:
        along += f[12]
        f_bar[12] += along_bar
    f_bar[t] += along_bar * e[i] * e[j]
    e_bar[i] += along_bar * f[t] * e[j]
    e_bar[j] += along_bar * f[t] * e[i]
    for k in range(3):
        e_bar[k + 1] += along * bar[k]
    if i > 0:
        f_bar[9 + (j > 0)] += bar[i - 1] * e[j]
        e_bar[j] += bar[i - 1] * f[9 + (j > 0)]
    if j > 0:
        f_bar[11 + (i > 0)] += bar[j - 1] * e[i]
        e_bar[i] += bar[j - 1] * f[11 + (i > 0)]


@kernel
def overlap_element_adjoint(
    bar: float, f: np.ndarray, e: np.ndarray, i: int, j: int, f_bar: np.ndarray, e_bar: np.ndarray
) -> None:
    """Adjoint of :func:`overlap_element`: adds to f_bar and e_bar."""
    t = (i > 0) + 2 * (j > 0)
    f_bar[t] += bar * e[i] * e[j]
    e_bar[i] += bar * f[t] * e[j]
    e_bar[j] += bar * f[t] * e[i]
    if i == j and i > 0:
        f_bar[4] += bar


@kernel
def chain_to_positions(
    f_bar: np.ndarray,
    slope: np.ndarray,
    e: np.ndarray,
    e_bar: np.ndarray,
    a: int,
    b: int,
    positions_bar: np.ndarray,
) -> None:
    """Add the cotangents of f(R^2) and R of one pair to its two atoms."""
    r2_bar = 0.0
    for t in range(slope.size):
        r2_bar += f_bar[t] * slope[t]
    for i in range(3):
        bar = e_bar[i + 1] + 2.0 * r2_bar * e[i + 1]
        positions_bar[b, AXIS[i]] += bar
        positions_bar[a, AXIS[i]] -= bar


@kernel
def overlap(
    positions: np.ndarray,
    offset: np.ndarray,
    species: np.ndarray,
    exponents: np.ndarray,
    coefficients: np.ndarray,
) -> np.ndarray:
    """(n_orbital, n_orbital) overlap matrix."""
    damping, weight = radial_table(exponents, coefficients)
    S = np.empty((offset[-1], offset[-1]))
    f, slope, e = np.empty(N_OVERLAP), np.empty(N_OVERLAP), np.empty(4)
    for a in range(species.size):
        for b in range(a, species.size):
            r2 = separation(positions, a, b, e)
            x, y = species[a], species[b]
            radial_sums(damping[x, y], weight[x, y], r2, f, slope)
            for i in range(offset[a + 1] - offset[a]):
                for j in range(offset[b + 1] - offset[b]):
                    value = overlap_element(f, e, i, j)
                    S[offset[a] + i, offset[b] + j] = value
                    S[offset[b] + j, offset[a] + i] = value
    return S


@kernel
def overlap_adjoint(
    positions: np.ndarray,
    offset: np.ndarray,
    species: np.ndarray,
    exponents: np.ndarray,
    coefficients: np.ndarray,
    S_bar: np.ndarray,
) -> np.ndarray:
    """(n_atom, 3) positions_bar from S_bar; one-centre blocks do not move."""
    damping, weight = radial_table(exponents, coefficients)
    positions_bar = np.zeros((species.size, 3))
    f, slope, e = np.empty(N_OVERLAP), np.empty(N_OVERLAP), np.empty(4)
    f_bar, e_bar = np.empty(N_OVERLAP), np.empty(4)
    for a in range(species.size):
        for b in range(a + 1, species.size):
            r2 = separation(positions, a, b, e)
            x, y = species[a], species[b]
            radial_sums(damping[x, y], weight[x, y], r2, f, slope)
            f_bar[:] = 0.0
            e_bar[:] = 0.0
            for m in range(offset[a], offset[a + 1]):
                for n in range(offset[b], offset[b + 1]):
                    bar = S_bar[m, n] + S_bar[n, m]
                    overlap_element_adjoint(bar, f, e, m - offset[a], n - offset[b], f_bar, e_bar)
            chain_to_positions(f_bar, slope, e, e_bar, a, b, positions_bar)
    return positions_bar


@kernel
def overlap_blocks(first, second, vectors, sizes, damping, weight):
    """(n, 4, 4) overlap of pairs of species with vectors (n, 3); zero beyond their orbitals."""
    out = np.zeros((first.size, 4, 4))
    f, slope, e = np.empty(N_OVERLAP), np.empty(N_OVERLAP), np.empty(4)
    ends = np.zeros((2, 3))
    for p in range(first.size):
        ends[1] = vectors[p]
        r2, x, y = separation(ends, 0, 1, e), first[p], second[p]
        radial_sums(damping[x, y], weight[x, y], r2, f, slope)
        for i in range(sizes[x]):
            for j in range(sizes[y]):
                out[p, i, j] = overlap_element(f, e, i, j)
    return out


@kernel
def overlap_blocks_adjoint(first, second, vectors, sizes, damping, weight, out_bar):
    """Adjoint of overlap_blocks: vectors_bar (n, 3)."""
    f, slope, e = np.empty(N_OVERLAP), np.empty(N_OVERLAP), np.empty(4)
    f_bar, e_bar = np.empty(N_OVERLAP), np.empty(4)
    ends, ends_bar = np.zeros((2, 3)), np.zeros((2, 3))
    vectors_bar = np.empty((first.size, 3))
    for p in range(first.size):
        ends[1] = vectors[p]
        r2, x, y = separation(ends, 0, 1, e), first[p], second[p]
        radial_sums(damping[x, y], weight[x, y], r2, f, slope)
        f_bar[:] = 0.0
        e_bar[:] = 0.0
        ends_bar[:] = 0.0
        for i in range(sizes[x]):
            for j in range(sizes[y]):
                overlap_element_adjoint(out_bar[p, i, j], f, e, i, j, f_bar, e_bar)
        chain_to_positions(f_bar, slope, e, e_bar, 0, 1, ends_bar)
        vectors_bar[p] = ends_bar[1]
    return vectors_bar


@kernel
def dipole(
    positions: np.ndarray,
    offset: np.ndarray,
    species: np.ndarray,
    exponents: np.ndarray,
    coefficients: np.ndarray,
) -> np.ndarray:
    """(3, n_orbital, n_orbital) dipole integrals, r_k = D_k + A_k S."""
    damping, weight = radial_table(exponents, coefficients)
    r, D = np.empty((3, offset[-1], offset[-1])), np.empty(3)
    f, slope, e = np.empty(N_RADIAL), np.empty(N_RADIAL), np.empty(4)
    for a in range(species.size):
        for b in range(a, species.size):
            r2 = separation(positions, a, b, e)
            x, y = species[a], species[b]
            radial_sums(damping[x, y], weight[x, y], r2, f, slope)
            for m in range(offset[a], offset[a + 1]):
                for n in range(offset[b], offset[b + 1]):
                    i, j = m - offset[a], n - offset[b]
                    s = overlap_element(f, e, i, j)
                    dipole_element(f, e, i, j, D)
                    for k in range(3):
                        value = D[k] + positions[a, AXIS[k]] * s
                        r[AXIS[k], m, n] = value
                        r[AXIS[k], n, m] = value
    return r


@kernel
def dipole_adjoint(
    positions: np.ndarray,
    offset: np.ndarray,
    species: np.ndarray,
    exponents: np.ndarray,
    coefficients: np.ndarray,
    r_bar: np.ndarray,
) -> np.ndarray:
    """(n_atom, 3) positions_bar from r_bar (3, n_orbital, n_orbital)."""
    damping, weight = radial_table(exponents, coefficients)
    positions_bar = np.zeros((species.size, 3))
    f, slope, e = np.empty(N_RADIAL), np.empty(N_RADIAL), np.empty(4)
    f_bar, e_bar, bar = np.empty(N_RADIAL), np.empty(4), np.empty(3)
    for a in range(species.size):
        for b in range(a, species.size):
            r2 = separation(positions, a, b, e)
            x, y = species[a], species[b]
            radial_sums(damping[x, y], weight[x, y], r2, f, slope)
            f_bar[:] = 0.0
            e_bar[:] = 0.0
            for m in range(offset[a], offset[a + 1]):
                for n in range(offset[b], offset[b + 1]):
                    i, j = m - offset[a], n - offset[b]
                    s, s_bar = overlap_element(f, e, i, j), 0.0
                    for k in range(3):
                        axis = AXIS[k]
                        bar[k] = r_bar[axis, m, n]
                        if a != b:
                            bar[k] += r_bar[axis, n, m]
                        positions_bar[a, axis] += bar[k] * s
                        s_bar += bar[k] * positions[a, axis]
                    dipole_element_adjoint(bar, f, e, i, j, f_bar, e_bar)
                    overlap_element_adjoint(s_bar, f, e, i, j, f_bar, e_bar)
            chain_to_positions(f_bar, slope, e, e_bar, a, b, positions_bar)
    return positions_bar


@kernel
def velocity(
    positions: np.ndarray,
    offset: np.ndarray,
    species: np.ndarray,
    exponents: np.ndarray,
    coefficients: np.ndarray,
) -> np.ndarray:
    """(3, n_orbital, n_orbital) integrals <m|d/dr|n> = -dS/dB, antisymmetric in m, n."""
    damping, weight = radial_table(exponents, coefficients)
    d, gradient = np.empty((3, offset[-1], offset[-1])), np.empty(3)
    f, slope, e = np.empty(N_OVERLAP), np.empty(N_OVERLAP), np.empty(4)
    for a in range(species.size):
        for b in range(a, species.size):
            r2 = separation(positions, a, b, e)
            x, y = species[a], species[b]
            radial_sums(damping[x, y], weight[x, y], r2, f, slope)
            for m in range(offset[a], offset[a + 1]):
                for n in range(offset[b], offset[b + 1]):
                    overlap_gradient(f, slope, e, m - offset[a], n - offset[b], gradient)
                    for k in range(3):
                        d[AXIS[k], n, m] = gradient[k]
                        d[AXIS[k], m, n] = -gradient[k]
    return d
