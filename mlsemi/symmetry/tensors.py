"""Tensors: arrays of features sorted by their symmetry, and the linear maps that respect it.

A set of features is a dictionary from :class:`Irrep` to an array (n_sample, 2l+1, n_feature); the
samples are atoms, pairs or triples. Every map is followed by its adjoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from mlsemi.symmetry.layers import Groups, linear_by_species


class Irrep(NamedTuple):
    """How a feature answers to O(3): like Y_lm under rotations, sigma (-1)^l under inversion.

    Attributes
    ----------
    l : int
        Degree.
    sigma : int
        +1 for proper tensors, -1 for pseudo-tensors.
    """

    l: int
    sigma: int

    def coupled(self, other: Irrep, l: int) -> Irrep:
        """Irrep of degree ``l`` in the product of two: sigma sigma' (-1)^(l1 + l2 + l)."""
        return Irrep(l, self.sigma * other.sigma * (-1) ** (self.l + other.l + l))


SCALAR = Irrep(0, 1)

Tensors = Mapping[Irrep, np.ndarray]
Maps = Mapping[Irrep, np.ndarray]
"""Per irrep a matrix (n_in, n_out) that mixes features, or one per species of the sample."""


def joined(parts: Sequence[Tensors]) -> dict[Irrep, np.ndarray]:
    """Features of several sets, of the same samples, side by side."""
    irreps = sorted({irrep for part in parts for irrep in part})
    return {
        irrep: np.concatenate([part[irrep] for part in parts if irrep in part], axis=2)
        for irrep in irreps
    }


def joined_adjoint(parts: Sequence[Tensors], out_bar: Tensors) -> list[dict[Irrep, np.ndarray]]:
    """Adjoint of :func:`joined`: the columns that belong to each part."""
    bars: list[dict[Irrep, np.ndarray]] = [{} for _ in parts]
    for irrep, bar in out_bar.items():
        start = 0
        for part, part_bar in zip(parts, bars, strict=True):
            if irrep in part:
                width = part[irrep].shape[2]
                part_bar[irrep] = np.ascontiguousarray(bar[:, :, start : start + width])
                start += width
    return bars


def taken(tensors: Tensors, rows: np.ndarray) -> dict[Irrep, np.ndarray]:
    """Samples ``rows``, repeated where an index repeats."""
    return {irrep: value[rows] for irrep, value in tensors.items()}


def gathered(tensors: Tensors, rows: np.ndarray, n_sample: int) -> dict[Irrep, np.ndarray]:
    """Sum of the samples that belong to each of ``n_sample`` rows; the adjoint of :func:`taken`.

    Parameters
    ----------
    tensors : mapping of Irrep to (n, 2l+1, n_feature) array
    rows : (n,) int array
        To which row each sample belongs.
    n_sample : int
    """
    ones = np.ones(rows.size)
    sums = csr_array((ones, (rows, np.arange(rows.size))), shape=(n_sample, rows.size))
    out = {}
    for irrep, value in tensors.items():
        flat = value.reshape(rows.size, value.shape[1] * value.shape[2])
        out[irrep] = (sums @ flat).reshape(n_sample, *value.shape[1:])
    return out


def mapped(tensors: Tensors, maps: Maps, groups: Groups = ()) -> dict[Irrep, np.ndarray]:
    """Features mixed by one matrix per irrep; irreps without a matrix are dropped.

    Parameters
    ----------
    tensors : mapping
    maps : mapping
    groups : sequence of (species, slice)
        Rows of each species, for maps that differ between species.
    """
    return {irrep: _mixed(tensors[irrep], matrix, groups) for irrep, matrix in maps.items()}


def mapped_adjoint(out_bar: Tensors, maps: Maps, groups: Groups = ()) -> dict[Irrep, np.ndarray]:
    """Adjoint of :func:`mapped`."""
    return {
        irrep: _mixed(out_bar[irrep], np.swapaxes(matrix, -1, -2), groups)
        for irrep, matrix in maps.items()
    }


def _mixed(value: np.ndarray, matrix: np.ndarray, groups: Groups) -> np.ndarray:
    return linear_by_species(value, matrix, groups) if matrix.ndim == 3 else value @ matrix


def added(parts: Sequence[Tensors]) -> dict[Irrep, np.ndarray]:
    """Sum of sets of the same shape; an irrep missing from a part counts as zero there."""
    out: dict[Irrep, np.ndarray] = {}
    for part in parts:
        for irrep, value in part.items():
            out[irrep] = out[irrep] + value if irrep in out else value
    return out


def n_feature(tensors: Tensors) -> int:
    """Number of features, a tensor counting once."""
    return sum(value.shape[2] for value in tensors.values())
