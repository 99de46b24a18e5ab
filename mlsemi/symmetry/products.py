"""One product of two sets of tensors: paths, chosen pairs of features, a frozen contraction.

Every feature of higher order is made of this: rho_i^(nu+1) = rho_i^nu x rho_i^1 (theory eq 3),
rho_ij^nu = bond x rho_i^nu (theory eq 4), messages, triples, and potentials times densities.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError
from mlsemi.kernels.products import product, product_adjoint
from mlsemi.symmetry.contraction import (
    Contraction,
    Kept,
    Values,
    covariance_of,
    warn_of_unseen,
)
from mlsemi.symmetry.layers import Groups
from mlsemi.symmetry.selection import covariance, cur_columns, farthest_points, root
from mlsemi.symmetry.so3 import clebsch_gordan
from mlsemi.symmetry.tensors import Irrep, Maps, Tensors, mapped, mapped_adjoint, taken

N_PRODUCT = 1000
"""Most products per irrep that a contraction is fitted to, unless another number is given."""

METHODS = ("pca", "cur", "fps")


class Term(NamedTuple):
    """Products of one pair of irreps coupled to a third.

    Attributes
    ----------
    left, right, out : Irrep
    first, second : (n_pair,) int arrays
        Features of the two factors that are multiplied.
    """

    left: Irrep
    right: Irrep
    out: Irrep
    first: np.ndarray
    second: np.ndarray


@cache
def coupling(l1: int, l2: int, l: int) -> tuple[np.ndarray, np.ndarray]:
    """Non-zero Clebsch-Gordan coefficients: (n_entry, 3) components m1, m2, m, and the values."""
    values = clebsch_gordan(l1, l2, l)
    where = np.argwhere(np.abs(values) > 1e-12)
    return where, values[tuple(where.T)]


def _paths(a: Tensors, b: Tensors, irreps: Iterable[Irrep]) -> list[tuple[Irrep, Irrep, Irrep]]:
    """All (left, right, out) allowed by the triangle rule and parity; once if a is b."""
    return [
        (left, right, out)
        for out in irreps
        for left in a
        for right in b
        if abs(left.l - right.l) <= out.l <= left.l + right.l
        and left.coupled(right, out.l) == out
        and (a is not b or left <= right)
    ]


def _pairs(left: Irrep, right: Irrep, out: Irrep, n1: int, n2: int, same: bool) -> np.ndarray:
    """Pairs of features (2, n): all, or for a set times itself each only once."""
    k1, k2 = np.divmod(np.arange(n1 * n2), n2)
    if same and left == right:
        odd = (left.l + right.l + out.l) % 2
        keep = k1 < k2 if odd else k1 <= k2
        k1, k2 = k1[keep], k2[keep]
    return np.stack([k1, k2])


@dataclass(frozen=True, eq=False)
class Product:
    """Frozen recipe of the product of two sets of tensors of the same samples.

    Attributes
    ----------
    terms : tuple of Term
    maps : mapping or None
        Contraction of the products, per irrep; None keeps them as they are.
    kept : mapping or None
        Fraction of the variance that each label of the fit keeps, per irrep.
    """

    terms: tuple[Term, ...]
    maps: Maps | None = None
    kept: Kept | None = None

    @classmethod
    def all(
        cls, a: Tensors, b: Tensors, irreps: Iterable[Irrep], n_product: int | None = None
    ) -> Product:
        """Products without contraction.

        Parameters
        ----------
        a, b : mapping
            Factors of a dataset. If both are one object, products that are equal by symmetry are
            taken once.
        irreps : iterable of Irrep
            Wanted results.
        n_product : int, optional
            Most products per irrep of the result: those whose factors have the largest variance.
        """
        spread = [{i: np.diag(covariance(v)) for i, v in t.items()} for t in (a, b)]
        terms = []
        weights = []
        for left, right, out in _paths(a, b, irreps):
            n1, n2 = a[left].shape[2], b[right].shape[2]
            first, second = _pairs(left, right, out, n1, n2, a is b)
            if first.size:
                terms.append(Term(left, right, out, first, second))
                weights.append(spread[0][left][first] * spread[1][right][second])
        if n_product is not None:
            terms = _largest(terms, weights, n_product)
        return cls(tuple(terms))

    @classmethod
    def fit(
        cls,
        a: Tensors,
        b: Tensors,
        irreps: Iterable[Irrep],
        n_keep: int,
        method: str = "pca",
        n_product: int | None = N_PRODUCT,
        labels: np.ndarray | None = None,
    ) -> Product:
        """Products of a dataset, contracted or thinned out to ``n_keep`` per irrep.

        Parameters
        ----------
        a, b : mapping
            Factors of a dataset.
        irreps : iterable of Irrep
            Wanted results.
        n_keep : int
            Features to keep per irrep.
        method : str
            ``pca`` mixes all products into principal components; ``cur`` and ``fps`` keep single
            products, the others are then never computed.
        n_product : int or None
            Most products per irrep before the contraction; None takes all.
        labels : (n_sample,) int array, optional
            Kinds of samples (species), each of which keeps a part of its variance (``pca``).

        Raises
        ------
        InputError
            For an unknown method, or without samples.
        """
        if method not in METHODS:
            raise InputError(f"unknown selection {method!r}; allowed are {', '.join(METHODS)}")
        n_sample = next((value.shape[0] for value in a.values()), 0)
        if not n_sample:
            raise InputError("no samples to fit features to: no atom of the structures has any")
        every = cls.all(a, b, irreps, n_product)
        parts = {irrep: every._values(irrep, a, b) for irrep in every.irreps}
        if method == "pca":
            labels = np.zeros(n_sample, dtype=int) if labels is None else labels
            contraction = Contraction.fit(parts, labels, n_keep)
            return replace(every, maps=contraction.maps, kept=contraction.kept)
        choose = cur_columns if method == "cur" else farthest_points
        kept = {
            irrep: choose(root(covariance_of(part, n_sample)), n_keep)
            for irrep, part in parts.items()
        }
        return cls(_restricted(every.terms, kept))

    def _values(self, irrep: Irrep, a: Tensors, b: Tensors) -> Values:
        """Uncontracted products of one irrep as a function of the samples' rows."""
        part = Product(tuple(term for term in self.terms if term.out == irrep))
        return lambda rows: part(taken(a, rows), taken(b, rows))[irrep]

    @property
    def irreps(self) -> tuple[Irrep, ...]:
        """Irreps of the result."""
        return tuple(self.maps) if self.maps is not None else tuple({t.out: 0 for t in self.terms})

    def __call__(self, a: Tensors, b: Tensors, groups: Groups = ()) -> dict[Irrep, np.ndarray]:
        """Products of the chosen features, side by side in the order of the terms, contracted.

        Parameters
        ----------
        a, b : mapping
        groups : sequence of (species, slice)
            Rows of each species, for maps that differ between species.
        """
        parts: dict[Irrep, list[np.ndarray]] = {}
        for term in self.terms:
            table, values = coupling(term.left.l, term.right.l, term.out.l)
            x, y = (np.ascontiguousarray(v) for v in (a[term.left], b[term.right]))
            result = product(x, y, term.first, term.second, table, values, 2 * term.out.l + 1)
            parts.setdefault(term.out, []).append(result)
        stacked = {irrep: np.concatenate(p, axis=2) for irrep, p in parts.items()}
        if self.maps is None:
            return stacked
        out = mapped(stacked, self.maps, groups)
        warn_of_unseen(out, self.kept or {})
        return out

    def adjoint(
        self, a: Tensors, b: Tensors, out_bar: Tensors, groups: Groups = ()
    ) -> tuple[dict[Irrep, np.ndarray], dict[Irrep, np.ndarray]]:
        """Cotangents of both factors; they are to be added when the factors are one object.

        Parameters
        ----------
        a, b : mapping
        out_bar : mapping
            Irreps missing from it count as zero.
        groups : sequence of (species, slice)
        """
        stacked_bar = out_bar
        if self.maps is not None:
            maps = {irrep: matrix for irrep, matrix in self.maps.items() if irrep in out_bar}
            stacked_bar = mapped_adjoint(out_bar, maps, groups)
        a_bar = {irrep: np.zeros(value.shape) for irrep, value in a.items()}
        b_bar = {irrep: np.zeros(value.shape) for irrep, value in b.items()}
        start = dict.fromkeys(stacked_bar, 0)
        for term in self.terms:
            if term.out not in stacked_bar:
                continue
            at, n = start[term.out], term.first.size
            start[term.out] += n
            bar = np.ascontiguousarray(stacked_bar[term.out][:, :, at : at + n])
            x, y = (np.ascontiguousarray(v) for v in (a[term.left], b[term.right]))
            table, values = coupling(term.left.l, term.right.l, term.out.l)
            bars = a_bar[term.left], b_bar[term.right]
            product_adjoint(x, y, term.first, term.second, table, values, bar, *bars)
        return a_bar, b_bar


def _largest(terms: list[Term], weights: list[np.ndarray], n_product: int) -> list[Term]:
    """Terms restricted to the products of largest weight, ``n_product`` per irrep."""
    kept = {}
    for irrep in {term.out for term in terms}:
        mine = np.concatenate([w for t, w in zip(terms, weights, strict=True) if t.out == irrep])
        kept[irrep] = np.argsort(-mine, kind="stable")[:n_product]
    return list(_restricted(tuple(terms), kept))


def _restricted(terms: tuple[Term, ...], kept: dict[Irrep, np.ndarray]) -> tuple[Term, ...]:
    """Terms with only the products whose number, counted per irrep, is in ``kept``."""
    start = dict.fromkeys(kept, 0)
    out = []
    for term in terms:
        n = term.first.size
        mine = np.sort(kept[term.out]) - start[term.out]
        start[term.out] += n
        mine = mine[(mine >= 0) & (mine < n)]
        if mine.size:
            out.append(term._replace(first=term.first[mine], second=term.second[mine]))
    return tuple(out)
