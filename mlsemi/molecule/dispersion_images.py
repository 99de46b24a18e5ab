"""D4 of a cell: the sums of `dispersion.py` over pairs and triples with images.

All that D4 needs is local here, so that lists of directed pairs of an atom and an image are enough:

    q + L (x + A q) = 0 with A, L summed over images                             (13a, neutral cell)
    E = 1/2 sum_(i, j + R) e_ij + 1/3 sum_i sum_(j + R < k + R') e_ijk

Every triple is met at each of its three atoms, every pair from both of its ends.
"""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.charge_flow import electronegativity, interaction
from mlsemi.kernels.dispersion import between_references, bonds
from mlsemi.kernels.dispersion_images import triples_of_images
from mlsemi.lattice.images import Images, neighbour_images
from mlsemi.molecule.charge_flow import EASE, MOST_BONDS, shift_of
from mlsemi.molecule.dispersion_tables import ElementTables
from mlsemi.molecule.structure import Structure

PAIRS, TRIPLES, WIDTH = 40.0, 18.0, 5.0
"""Ranges (bohr) of pairs, and of triples and charges, and the width in which all fade out.

D4's own are 60 and 40 and end in a step. Beta-carotene changes by 0.06 kcal/mol of 114.
"""


class _Charges:
    """Charges of a cell, with the derivatives that lead back (`charge_flow.py` for molecules)."""

    def __init__(self, near: _Near, tables: ElementTables) -> None:
        self.near = near
        n, species, i, j = near.n, near.species, near.first, near.second
        shift = shift_of(TRIPLES - WIDTH, TRIPLES)
        width = tables.width[species]
        coulomb, self.slope = interaction(
            near.start, j, near.squared, width, shift, TRIPLES - WIDTH
        )
        self.A, self.L = np.zeros((n, n)), np.zeros((n, n))
        np.add.at(self.A, (i, j), coulomb)
        own = tables.eta + np.sqrt(2.0 / np.pi) / tables.width + shift[0]
        self.A[np.diag_indices(n)] += own[species]
        b = near.bond_at
        ease = EASE * near.bond[0]
        np.add.at(self.L, (i[b], i[b]), ease)
        np.add.at(self.L, (i[b], j[b]), -ease)
        chi, pull = tables.chi[species], tables.pull[species]
        x, self.x_slope = electronegativity(chi, pull, near.cn[1], MOST_BONDS)
        self.matrix = np.eye(n) + self.L @ self.A
        self.charges = np.linalg.solve(self.matrix, -self.L @ x)
        self.uphill = x + self.A @ self.charges

    def adjoint(self, charges_bar: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cotangents of the coordination numbers, of the squared distances, of the bond counts."""
        near = self.near
        i, j, b = near.first, near.second, near.bond_at
        back = np.linalg.solve(self.matrix.T, charges_bar)
        flow = -self.L @ back
        squared_bar = flow[i] * self.charges[j] * self.slope
        count_bar = -EASE * back[i[b]] * (self.uphill[i[b]] - self.uphill[j[b]])
        return flow * self.x_slope, squared_bar, count_bar


class _Near:
    """Directed pairs within the range of triples, sorted by the first atom, and bonds."""

    def __init__(self, structure: Structure, tables: ElementTables) -> None:
        assert structure.cell is not None
        self.n = structure.n_atom
        self.species = tables.row[structure.numbers]
        found = neighbour_images(structure.positions, structure.cell, TRIPLES)
        self.first, self.second, self.vector = found.first, found.second, found.vector
        self.squared = np.sum(found.vector**2, axis=1)
        self.start = np.searchsorted(found.first, np.arange(self.n + 1))
        known = tables.radius[self.species], tables.electronegativity[self.species]
        cn, _, self.bond_at, self.bond = bonds(self.start, self.second, self.squared, *known)
        self.cn = 0.5 * cn  # both directions of a pair count for both atoms


def dispersion_of_cell(
    structure: Structure, tables: ElementTables, form: np.ndarray, with_gradient: bool
) -> tuple[float, np.ndarray | None, np.ndarray | None]:
    """Energy of a cell, its gradient (n_atom, 3), its derivative by a strain (3, 3).

    Parameters
    ----------
    structure : Structure
    tables : ElementTables
    form : (5,) array
        s6, s8, s9, a1, a2.
    with_gradient : bool
    """
    assert structure.cell is not None
    near = _Near(structure, tables)
    flow = _Charges(near, tables)
    scaled = tables.hardness, tables.core, tables.reference, tables.factors
    charged = between_references(near.species, near.cn[0], flow.charges, *scaled)
    neutral = between_references(near.species, near.cn[0], np.zeros(near.n), *scaled)
    moment = tables.moment[near.species]
    ratio = 3.0 * moment[:, None] * moment[None, :]
    radius = form[3] * np.sqrt(ratio) + form[4]

    far = neighbour_images(structure.positions, structure.cell, PAIRS)
    energy, far_slope, a_bar = _pairs(far, charged[0], ratio, radius, form)
    c6 = neutral[0] @ neutral[0].T
    lists = near.start, near.second, near.vector, near.squared
    triple, slope, share = triples_of_images(*lists, c6, radius, TRIPLES, WIDTH)
    energy += form[2] * triple
    if not with_gradient:
        return energy, None, None

    c6_bar = np.zeros_like(c6)
    np.add.at(c6_bar, (near.first, near.second), form[2] * share)
    neutral_bar = (c6_bar + c6_bar.T) @ neutral[0]
    cn_bar = np.empty((2, near.n))
    cn_bar[0] = (neutral_bar * neutral[1]).sum(axis=1) + (a_bar * charged[1]).sum(axis=1)
    cn_bar[1], squared_bar, count_bar = flow.adjoint((a_bar * charged[2]).sum(axis=1))
    squared_bar += form[2] * slope
    ends = near.first[near.bond_at]
    count_bar += near.bond[1] * cn_bar[0][ends] + cn_bar[1][ends]
    np.add.at(squared_bar, near.bond_at, count_bar * near.bond[2])
    gradient, strain = np.zeros((near.n, 3)), np.zeros((3, 3))
    for first, second, vector, bar in (
        (near.first, near.second, near.vector, squared_bar),
        (far.first, far.second, far.vector, far_slope),
    ):
        pull = 2.0 * bar[:, None] * vector
        np.add.at(gradient, second, pull)
        np.add.at(gradient, first, -pull)
        strain += pull.T @ vector
    return energy, gradient, strain


def _pairs(
    far: Images, a: np.ndarray, ratio: np.ndarray, radius: np.ndarray, form: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy of directed pairs, its slope by their squared distances, and a_bar.

    -C6 (s6 / (r^6 + R^6) + s8 m / (r^8 + R^8)) with C6 = a_i . a_j, faded out, half of each.
    """
    s6, s8 = form[:2]
    i, j = far.first, far.second
    r2 = np.sum(far.vector**2, axis=1)
    r = np.sqrt(r2)
    t = np.minimum((PAIRS - r) / WIDTH, 1.0)
    fade = t**3 * (10.0 + t * (6.0 * t - 15.0))
    fall = -15.0 * (t * (1.0 - t)) ** 2 / (WIDTH * r)
    m, R2 = ratio[i, j], radius[i, j] ** 2
    six, eight = 1.0 / (r2**3 + R2**3), 1.0 / (r2**4 + R2**4)
    plain = -s6 * six - s8 * m * eight
    plain_fall = 3.0 * s6 * r2**2 * six**2 + 4.0 * s8 * m * r2**3 * eight**2
    sums = np.zeros((a.shape[0], a.shape[0]))
    np.add.at(sums, (i, j), 0.5 * plain * fade)
    c6 = a @ a.T
    slope = 0.5 * c6[i, j] * (plain_fall * fade + plain * fall)
    return float(np.sum(sums * c6)), slope, (sums + sums.T) @ a
