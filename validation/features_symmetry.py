"""Symmetry and slopes of every feature of the representation suite.

    python validation/features_symmetry.py

R-methyloxirane (chiral, no symmetry), alone and as a crystal whose images see each other, is turned
(with its cell), inverted, shifted and renumbered; every component of every feature must follow its
irrep: scalars stay, tensors rotate with the matrix of their degree, pseudo-tensors take another
sign under inversion. Given is the largest deviation relative to the largest component of the same
irrep. The derivative compares the adjoint of each walk from positions to features, for random
cotangents, with central differences of fourth order. In the crystal atoms are moved to other cells
as they are renumbered.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import report
from scipy.stats import ortho_group

from mlsemi.lattice.cell import Cell
from mlsemi.molecule.formats import read_structures
from mlsemi.representations.centers import Bonds, PairFeatures
from mlsemi.representations.correlations import AtomFeatures, irreps_up_to
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.kernels.harmonics import spherical
from mlsemi.representations.lattice_potentials import Potential
from mlsemi.representations.message_correlations import MessageFeatures
from mlsemi.representations.neighbours import Points, harmonic_norms
from mlsemi.representations.potentials import PotentialFeatures
from mlsemi.representations.radial_tables import point_functions
from mlsemi.representations.triples import TripleFeatures
from mlsemi.representations.triplets import TripleScalars, TripletDescriptors
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import SCALAR, Irrep

SEED = 0
N_MOVE = 5
STEP = 2e-3
ELEMENTS = (1, 6, 8)
CUTOFF = 7.0
EDGE = 10.0
SKEW = np.array([[0.0, 0.3, 0.0], [1.1, 0.0, -0.4], [0.2, 0.0, 0.0]])
"""Cell of the crystal, bohr; the molecule is about as long."""

TOLERANCE = 1e-10

Tensors = Mapping[Irrep, np.ndarray]


class Walk(NamedTuple):
    """One feature: structure -> (samples (n, N), tensors), and cotangents -> positions_bar.

    Samples are atoms, followed by the translations of all but the first in a crystal.
    """

    forward: Callable[[Points], tuple[np.ndarray, Tensors]]
    adjoint: Callable[[Points, Tensors], np.ndarray]


def walks(molecule: Points) -> dict[str, Walk]:
    """Every feature, contractions fitted to the molecule and a distorted copy."""
    rng = np.random.default_rng(SEED)
    other = molecule._replace(positions=molecule.positions + 0.2 * rng.normal(size=(10, 3)))
    data = [molecule, other]
    basis = RadialBasis(6, CUTOFF)
    atoms = AtomFeatures.fit(
        data, Expansion(ELEMENTS, point_functions(basis, 5)).optimal(data, 4), 4, 4, 12, 200
    )
    bonds = Bonds(ELEMENTS, point_functions(RadialBasis(3, CUTOFF), 4), by_species=True)
    pairs = PairFeatures.fit(data, bonds, atoms, 2, 3, 10, 200)
    messages = MessageFeatures.fit(data, bonds, atoms, 1, 1, 2, 3, 10, 200)
    first = replace(atoms, correlations=replace(atoms.correlations, steps=()))
    triples = [
        TripleFeatures.fit(data, bonds, inner, irreps_up_to(2), 8, 8, 100)
        for inner in (None, first)
    ]
    scalars = TripleScalars.fit(data, bonds, atoms, 10, 20)
    triplets = TripletDescriptors.fit(data, scalars, 30, 1.0)
    fields = [Potential.of(ELEMENTS, p, 6.0, 4, 1.0) for p in (1, 2, 3, 6)]
    potentials = PotentialFeatures.fit(data, fields, atoms, 3, 10, 200)
    out = {}
    for n in range(4):
        out[f"rho_i^{n + 1}"] = _orders(atoms, n, 4)
    for n in range(3):
        out[f"rho_ij^{n}"] = _orders(pairs, n, 3)
    for n, one in enumerate(triples):
        out[f"rho_ijk^{n}"] = _triples(one)
    for n, name in enumerate(("rho_i^(1 <- 1)", "rho_i^(1 <- (1 <- 1))")):
        out[name] = _orders(messages, n, 2)
    out["triplets, nonlinear"] = _triplets(triplets)
    for p, field in zip((1, 2, 3, 6), fields, strict=True):
        out[f"V_i, 1/r^{p}"] = _potential(field)
    out["V_i x rho_i^1"] = _orders(potentials, 1, 2)
    return out


def _orders(features: object, n: int, n_order: int) -> Walk:
    """Result ``n`` of features that give a list of tensors, or of directed pairs."""

    def forward(points: Points) -> tuple[np.ndarray, Tensors]:
        found = features([points])
        if isinstance(found, list):
            return np.arange(points.numbers.size)[:, None], found[n]
        pairs = found.neighbours
        return np.column_stack([pairs.first, pairs.second, pairs.shift]), found.orders[n]

    def adjoint(points: Points, bar: Tensors) -> np.ndarray:
        orders = features([points])
        orders = orders if isinstance(orders, list) else orders.orders
        bars = [{i: np.zeros_like(v) for i, v in order.items()} for order in orders]
        bars[n] = bar
        return features.adjoint([points], bars)

    return Walk(forward, adjoint)


def _triples(features: TripleFeatures) -> Walk:
    def forward(points: Points) -> tuple[np.ndarray, Tensors]:
        neighbours, triples, tensors = features([points])
        return np.hstack([triples.centers(neighbours), triples.shifts(neighbours)]), tensors

    return Walk(forward, lambda points, bar: features.adjoint([points], bar))


def _triplets(features: TripletDescriptors) -> Walk:
    def forward(points: Points) -> tuple[np.ndarray, Tensors]:
        return np.arange(points.numbers.size)[:, None], {SCALAR: features([points])[:, None]}

    return Walk(forward, lambda points, bar: features.adjoint([points], bar[SCALAR][:, 0]))


def _potential(potential: Potential) -> Walk:
    def forward(points: Points) -> tuple[np.ndarray, Tensors]:
        return np.arange(points.numbers.size)[:, None], potential([points])

    return Walk(forward, lambda points, bar: potential.adjoint([points], bar))


def wigner(l: int, rotation: np.ndarray) -> np.ndarray:
    """D with Y_l(R u) = D Y_l(u)."""
    u = np.random.default_rng(1).normal(size=(8 * l + 8, 3))
    u /= np.linalg.norm(u, axis=1)[:, None]
    rows = slice(l * l, (l + 1) ** 2)
    norms = harmonic_norms(l + 1)
    before = spherical(u, norms)[:, rows]
    after = spherical(np.ascontiguousarray(u @ rotation.T), norms)[:, rows]
    return np.linalg.lstsq(before, after, rcond=None)[0].T


def deviation(
    walk: Walk,
    points: Points,
    turn: np.ndarray,
    shift: np.ndarray,
    order: np.ndarray,
    cells: np.ndarray,
) -> float:
    """Largest departure from the law of each irrep, relative to its largest component."""
    samples, before = walk.forward(points)
    cell, x = points.cell, points.positions
    if cell is not None:
        x = x + cells @ cell.vectors
        cell = Cell(cell.vectors @ turn.T, cell.periodic)
    moved = Points(points.numbers[order], x[order] @ turn.T + shift, cell)
    new, after = walk.forward(moved)
    index = {tuple(sample): n for n, sample in enumerate(samples.tolist())}
    n_center = {1: 1, 5: 2, 9: 3}[samples.shape[1]]
    atoms = order[new[:, :n_center]]
    # an atom that stands in cell t is reached by a translation shorter by t
    back = np.hstack(
        [cells[atoms[:, k]] - cells[atoms[:, 0]] for k in range(1, n_center)] or [new[:, :0]]
    )
    old = np.hstack([atoms, new[:, n_center:] + (back if points.cell is not None else 0)])
    rows = [index[tuple(sample)] for sample in old.tolist()]
    largest = 0.0
    for irrep, value in before.items():
        sign = np.linalg.det(turn) if irrep.sigma < 0 else 1.0
        expected = sign * np.einsum("mn,xnk->xmk", wigner(irrep.l, turn), value[rows])
        largest = max(largest, np.abs(after[irrep] - expected).max() / np.abs(value).max())
    return float(largest)


def slope_error(walk: Walk, points: Points) -> float:
    """|adjoint - difference| / |adjoint| along a random direction."""
    rng = np.random.default_rng(SEED)
    samples, value = walk.forward(points)
    bar = {i: rng.normal(size=v.shape) for i, v in value.items()}
    walked = walk.adjoint(points, bar)
    direction = walked / np.linalg.norm(walked) + 0.2 * rng.normal(size=walked.shape)
    index = {tuple(sample): n for n, sample in enumerate(samples.tolist())}

    def along(t: float) -> float:
        """Samples that enter or leave at the cutoff are zero on one side, and left out."""
        there, moved = walk.forward(points._replace(positions=points.positions + t * direction))
        rows = np.array([index.get(tuple(sample), -1) for sample in there.tolist()])
        kept = rows >= 0
        return sum(float(np.sum(moved[i][kept] * bar[i][rows[kept]])) for i in bar)

    h = STEP
    difference = (8.0 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12.0 * h)
    return float(abs(difference / np.sum(walked * direction) - 1.0))


def moves(n_atom: int) -> dict[str, list[tuple[np.ndarray, ...]]]:
    """(orthogonal map, shift, order of atoms, cells to which they go) of each kind."""
    rng = np.random.default_rng(SEED)
    same, still, here = np.arange(n_atom), np.zeros(3), np.zeros((n_atom, 3), dtype=int)
    turns = ortho_group.rvs(3, size=N_MOVE, random_state=rng)
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    return {
        "rotation": [(turn, still, same, here) for turn in turns],
        "inversion": [(-np.eye(3), still, same, here)],
        "translation": [(np.eye(3), 10.0 * rng.normal(size=3), same, here)],
        "permutation": [
            (np.eye(3), still, rng.permutation(same), rng.integers(-1, 2, (n_atom, 3)))
            for _ in range(N_MOVE)
        ],
    }


def main() -> None:
    """Compute, write features_symmetry.md and .json; fail beyond the tolerance."""
    example = report.HERE.parent / "docs" / "examples" / "R-methyloxirane.xyz"
    structure = read_structures(example)[0]
    molecule = Points(structure.numbers, structure.positions)
    kinds = moves(structure.n_atom)
    crystal = molecule._replace(cell=Cell(EDGE * np.eye(3) + SKEW, [True] * 3))
    rows, data, worst = [], {}, 0.0
    for name, walk in walks(molecule).items():
        data[name] = {}
        numbers = []
        for kind_of, points in (("molecule", molecule), ("crystal", crystal)):
            found = {
                kind: max(deviation(walk, points, *move) for move in list_of)
                for kind, list_of in kinds.items()
            }
            worst = max(worst, *found.values())
            slope = slope_error(walk, points)
            data[name][kind_of] = found | {"slope": slope}
            numbers += [f"{v:.0e}" for v in (*found.values(), slope)]
        rows.append([f"`{name}`", *numbers])
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(
            ["feature", *kinds, "derivative", *(f"crystal: {k}" for k in (*kinds, "derivative"))],
            rows,
        ),
    ]
    report.write("features_symmetry", "Symmetry of the features", sections, {"features": data})
    if worst > TOLERANCE:
        raise SystemExit(f"largest deviation {worst:.1e}")


if __name__ == "__main__":
    main()
