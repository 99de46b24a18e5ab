"""Features of operator blocks: rho_i^nu for one atom, rho_ij^nu for two, with the block's symmetry.

The blocks of eq L6 that share a key see features of the same symmetry under rotations, inversion
and exchange of the two atoms:

- ``atom``: rho_i^1 .. rho_i^nu,
- ``pair`` of two elements: rho_ij^0 .. rho_ij^nu of both directions side by side,
- ``even``, ``odd``: (rho_ij^nu + rho_ji^nu) / 2^1/2 and (rho_ij^nu - rho_ji^nu) / 2^1/2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure
from mlsemi.representations.centers import Bonds, PairFeatures, PairTensors
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.learning.operators import SIGN, BlockKey, OperatorLayout
from mlsemi.representations.radial_tables import point_functions
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import Irrep, Tensors

BATCH = 20
"""Structures whose features are held at once before they are sorted into blocks."""


class MoleculeBlocks(NamedTuple):
    """Block features of one molecule.

    Attributes
    ----------
    numbers : (n_atom,) int array
    features : dict of BlockKey to (n_sample, 2L+1, n_feature) array
        Samples as in :meth:`OperatorLayout.samples`; keys whose symmetry no feature has are
        missing.
    """

    numbers: np.ndarray
    features: dict[BlockKey, np.ndarray]


@dataclass(eq=False, repr=False)
class BlockFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Structures -> features of all blocks of an operator.

    Elements and contractions are those of the structures it is fitted to; every order is scaled to
    unit mean square.

    Parameters
    ----------
    layout : OperatorLayout
        Which blocks there are.
    nu : int
        Highest correlation order of atoms; pairs go as far.
    cutoff : float
        Bohr, of neighbours and of bonds.
    n_radial : int
        Radial functions.
    l_density : int
        Highest degree of the density.
    n_keep : int
        Features per irrep and order.
    n_product : int
        Most products per irrep before a contraction.
    n_fit : int
        Structures that contractions are fitted to, spread evenly.
    """

    layout: OperatorLayout
    nu: int = 2
    cutoff: float = 10.0
    n_radial: int = 6
    l_density: int = 4
    n_keep: int = 80
    n_product: int = 800
    n_fit: int = 30

    def fit(self, X: Sequence[Structure], y: object = None) -> BlockFeatures:
        """Fit the contractions.

        Parameters
        ----------
        X : sequence of Structure
        y : None
            Not used.
        """
        chosen = [X[i] for i in np.unique(np.linspace(0, len(X) - 1, self.n_fit).astype(int))]
        elements = tuple(sorted({z for s in X for z in s.numbers.tolist()}))
        keys = self.layout.columns(np.array(elements))
        l_max = max(key.l for key in keys)
        radial = RadialBasis(self.n_radial, self.cutoff)
        density = Expansion(elements, point_functions(radial, self.l_density + 1))
        bonds = Bonds(elements, point_functions(radial, l_max + 1))
        atoms = AtomFeatures.fit(
            chosen, density, self.nu, max(l_max, self.l_density), self.n_keep, self.n_product
        )
        self.pairs_ = PairFeatures.fit(
            chosen, bonds, atoms, self.nu, l_max, self.n_keep, self.n_product
        )
        self.scales_ = [_inverse_rms(order) for order in atoms(chosen)]
        self.pair_scales_ = [_inverse_rms(order) for order in self.pairs_(chosen).orders]
        return self

    def transform(self, X: Sequence[Structure]) -> list[MoleculeBlocks]:
        """Features of every structure."""
        check_is_fitted(self, "pairs_")
        out: list[MoleculeBlocks] = []
        for begin in range(0, len(X), BATCH):
            out += self._batch(X[begin : begin + BATCH])
        return out

    def adjoint(self, X: Sequence[Structure], blocks_bar: Sequence[MoleculeBlocks]) -> np.ndarray:
        """dL/d positions (n_atom, 3) of all structures from the cotangents of their features."""
        check_is_fitted(self, "pairs_")
        parts = [
            self._batch_adjoint(X[begin : begin + BATCH], blocks_bar[begin : begin + BATCH])
            for begin in range(0, len(X), BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    def _orders(self, structures: Sequence[Structure]) -> tuple[list[Tensors], PairTensors]:
        """Scaled features of atoms and pairs, every order."""
        if any(structure.cell is not None for structure in structures):
            raise InputError("operators of molecules only: blocks of a cell are not supported")
        found = self.pairs_.atoms(structures)
        atoms: list[Tensors] = [_scaled(*o) for o in zip(self.scales_, found, strict=True)]
        neighbours, orders = self.pairs_(structures)
        bonds = [_scaled(*o) for o in zip(self.pair_scales_, orders, strict=True)]
        return atoms, PairTensors(neighbours, bonds)

    def _batch(self, structures: Sequence[Structure]) -> list[MoleculeBlocks]:
        atoms, pairs = self._orders(structures)
        out = []
        for structure, ends in zip(structures, pairwise(pairs.neighbours.start), strict=True):
            features = {}
            for key, rows in self._rows(structure, pairs, *map(int, ends)).items():
                orders = atoms if key.kind == "atom" else pairs.orders
                parts = [
                    sum(w * _rows_of(orders[nu], key.irrep, rows[n]) for n, w in ways)
                    for nu, ways in _columns(key, orders)
                ]
                if parts:
                    features[key] = np.concatenate(parts, axis=2)
            out.append(MoleculeBlocks(structure.numbers, features))
        return out

    def _batch_adjoint(
        self, structures: Sequence[Structure], blocks_bar: Sequence[MoleculeBlocks]
    ) -> np.ndarray:
        atoms, pairs = self._orders(structures)
        bars = [[{i: np.zeros_like(v) for i, v in o.items()} for o in s] for s in (atoms, pairs[1])]
        begins = pairwise(pairs.neighbours.start)
        for structure, ends, molecule in zip(structures, begins, blocks_bar, strict=True):
            for key, rows in self._rows(structure, pairs, *map(int, ends)).items():
                orders = bars[key.kind != "atom"]
                start = 0
                for nu, ways in _columns(key, orders):
                    into = orders[nu][key.irrep]
                    own = molecule.features[key][:, :, start : start + into.shape[2]]
                    start += into.shape[2]
                    for n, weight in ways:
                        there = rows[n] >= 0
                        np.add.at(into, rows[n][there], weight * own[there])
        scaled = [
            [_scaled(*o) for o in zip(scales, side, strict=True)]
            for scales, side in zip((self.scales_, self.pair_scales_), bars, strict=True)
        ]
        return self.pairs_.atoms.adjoint(structures, scaled[0]) + self.pairs_.adjoint(
            structures, scaled[1]
        )

    def _rows(
        self, structure: Structure, pairs: PairTensors, begin: int, end: int
    ) -> dict[BlockKey, tuple[np.ndarray, np.ndarray]]:
        """Rows of the samples of every key among atoms or pairs, and of the pairs reversed."""
        row = pair_rows(pairs, begin, end)
        out = {}
        for key in self.layout.columns(structure.numbers):
            i, j = self.layout.samples(structure.numbers, key).T
            out[key] = (begin + i, begin + i) if key.kind == "atom" else (row[i, j], row[j, i])
        return out


def pair_rows(pairs: PairTensors, begin: int, end: int) -> np.ndarray:
    """(n_atom, n_atom) row of every directed pair of one structure, -1 beyond the cutoff.

    Parameters
    ----------
    pairs : PairTensors
    begin, end : int
        Atoms of the structure.
    """
    first, second = pairs.neighbours.first, pairs.neighbours.second
    mine = np.flatnonzero((first >= begin) & (first < end))
    out = np.full((end - begin, end - begin), -1)
    out[first[mine] - begin, second[mine] - begin] = mine
    return out


def _columns(
    key: BlockKey, orders: Sequence[Tensors]
) -> Iterator[tuple[int, tuple[tuple[int, float], ...]]]:
    """Sets of features of a key: the order, and weights of the sample (0) and its reverse (1)."""
    for nu, order in enumerate(orders):
        if key.irrep not in order:
            continue
        if key.kind in SIGN:
            yield nu, ((0, 0.5**0.5), (1, SIGN[key.kind] * 0.5**0.5))
            continue
        yield nu, ((0, 1.0),)
        # an atom has no other side; the bare bond is the same from both, up to a sign
        if key.kind == "pair" and nu:
            yield nu, ((1, 1.0),)


def _rows_of(tensors: Tensors, irrep: Irrep, rows: np.ndarray) -> np.ndarray:
    """Rows of a feature, zero where the pair lies beyond the cutoff."""
    value = tensors[irrep]
    if not len(value):
        return np.zeros((rows.size, *value.shape[1:]))
    return value[rows] * (rows >= 0)[:, None, None]


def _inverse_rms(tensors: Tensors) -> float:
    total = sum(float(np.sum(value**2)) / value.shape[0] for value in tensors.values())
    return 1.0 / np.sqrt(total) if total > 0.0 else 1.0


def _scaled(scale: float, tensors: Tensors) -> dict[Irrep, np.ndarray]:
    return {irrep: scale * value for irrep, value in tensors.items()}
