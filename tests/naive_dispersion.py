"""D4 with charges that flow along bonds, written out: dense arrays, loops over triples."""

from itertools import combinations

import numpy as np
from scipy.special import erf

from mlsemi.molecule.charge_flow import EASE, MOST_BONDS, shift_of
from mlsemi.molecule.dispersion import PAIRS, TRIPLES, WIDTH
from mlsemi.molecule.dispersion_tables import damping, element_tables


def fade(r, reach):
    t = np.clip((reach - r) / WIDTH, 0.0, 1.0)
    return t**3 * (10.0 - 15.0 * t + 6.0 * t**2)


def geometry(structure):
    """Rows of the tables, distances (1 on the diagonal), counts of bonds."""
    tables, x = element_tables(), structure.positions
    row = tables.row[structure.numbers]
    r = np.linalg.norm(x[:, None] - x, axis=-1) + np.eye(len(x))
    radius = tables.radius[row]
    count = 0.5 * (1.0 - erf(7.5 * (r / (radius[:, None] + radius) - 1.0)))
    np.fill_diagonal(count, 0.0)
    return row, r, count


def charges(structure, ease=EASE):
    """Eq 13a by one dense solution; ``ease=None``: D4's own, equilibrated over the whole system."""
    tables = element_tables()
    row, r, count = geometry(structure)
    n = row.size
    cn = count.sum(axis=1)
    cn = np.log(1.0 + np.exp(MOST_BONDS)) - np.log(1.0 + np.exp(MOST_BONDS - cn))
    x = tables.chi[row] - tables.pull[row] * np.sqrt(cn + 1e-14)
    w = tables.width[row]
    near = TRIPLES - WIDTH
    shift = shift_of(near, TRIPLES) if ease is not None else np.zeros(3)
    y = np.maximum(r - near, 0.0)
    A = erf(r / np.hypot(w[:, None], w)) / r + shift[0] + shift[1] * y**3 + shift[2] * y**4
    if ease is not None:
        A[r >= TRIPLES] = 0.0
    np.fill_diagonal(A, tables.eta[row] + np.sqrt(2.0 / np.pi) / w + shift[0])
    if ease is None:
        edge = np.ones((n, 1))
        whole = np.block([[A, edge], [edge.T, np.zeros((1, 1))]])
        return np.linalg.solve(whole, np.append(-x, structure.charge))[:n]
    L = ease * (np.diag(count.sum(axis=1)) - count)
    return np.linalg.solve(np.eye(n) + L @ A, structure.charge / n - L @ x)


def factors(structure, q):
    """Polarisability factors of every atom at the charges q."""
    tables = element_tables()
    row, _, count = geometry(structure)
    en = tables.electronegativity[row]
    apart = abs(en[:, None] - en) + 19.08857
    cn = (4.10451 * np.exp(-(apart**2) / (2.0 * 11.28174**2)) * count).sum(axis=1)
    out = []
    for i, s in enumerate(row):
        reference_cn, reference_q, gaussians = tables.reference[:, s]
        weight = np.array(
            [
                sum(np.exp(-6.0 * m * (cn[i] - c) ** 2) for m in range(1, int(g) + 1))
                for c, g in zip(reference_cn, gaussians, strict=True)
            ]
        )
        ratio = (tables.core[s] + reference_q) / (tables.core[s] + q[i])
        zeta = np.exp(3.0 * (1.0 - np.exp(2.0 * tables.hardness[s] * (1.0 - ratio))))
        out.append((weight / weight.sum() * zeta) @ tables.factors[s])
    return np.array(out)


def energy(structure, functional, ease=EASE):
    """Energy of pairs and of triples, hartree; with ``ease=None`` D4 itself, without ends."""
    s6, s8, s9, a1, a2 = damping(functional)
    row, r, _ = geometry(structure)
    ends = (1.0, 1.0) if ease is None else (fade(r, PAIRS), fade(r, TRIPLES))
    moment = element_tables().moment[row]
    m = 3.0 * moment[:, None] * moment
    R = a1 * np.sqrt(m) + a2
    a = factors(structure, charges(structure, ease))
    each = -(a @ a.T) * (s6 / (r**6 + R**6) + s8 * m / (r**8 + R**8)) * ends[0]
    a = factors(structure, np.zeros(row.size))
    root = np.sqrt(a @ a.T) * ends[1]
    triples = 0.0
    for i, j, k in combinations(range(row.size), 3):
        ij, jk, ki = r[i, j], r[j, k], r[k, i]
        cosines = (
            (ij**2 + jk**2 - ki**2)
            * (ij**2 - jk**2 + ki**2)
            * (-(ij**2) + jk**2 + ki**2)
            / (8.0 * (ij * jk * ki) ** 2)
        )
        ratio = R[i, j] * R[j, k] * R[k, i] / (ij * jk * ki)
        c9 = s9 * root[i, j] * root[j, k] * root[k, i]
        triples += (
            c9 * (1.0 + 3.0 * cosines) / (ij * jk * ki) ** 3 / (1.0 + 6.0 * ratio ** (16 / 3))
        )
    return np.triu(each, 1).sum(), triples
