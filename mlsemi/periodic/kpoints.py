"""Points of the Brillouin zone: meshes, and what time reversal spares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.lattice.cell import Cell, grid

LENGTH = 40.0
"""The mesh chosen where none is asked for is that of a supercell at least so long (bohr)."""

MOST = 100_000
"""Points of the largest mesh."""

Counts = tuple[int, int, int]


@dataclass(frozen=True, eq=False, repr=False)
class KPoints(Brief):
    """Points k = sum_i x_i b_i with weights that sum to one.

    Attributes
    ----------
    points : (n_k, 3) array
        Fractional coordinates x.
    weights : (n_k,) array
    counts : tuple of 3 int or None
        Of the mesh they were reduced from.
    """

    points: np.ndarray
    weights: np.ndarray
    counts: Counts | None = None

    @property
    def n_point(self) -> int:
        """Number of points."""
        return self.weights.size


def counts_of(cell: Cell, asked: str | Sequence[int] | None) -> Counts:
    """Numbers of points along the three reciprocal vectors.

    Parameters
    ----------
    cell : Cell
    asked : str, sequence of int or None
        ``8x8x1``, ``(8, 8, 1)``; None: enough for a supercell :data:`LENGTH` long.

    Raises
    ------
    InputError
        If it is not three positive whole numbers, has more than one point where nothing repeats, or
        too many in all.
    """
    if asked is None:
        spacing = np.linalg.norm(cell.reciprocal, axis=1)
        a, b, c = np.maximum(np.ceil(LENGTH * spacing / (2.0 * np.pi) - 1e-6), 1.0).astype(int)
        return int(a), int(b), int(c)
    words = re.split(r"[x,]", asked) if isinstance(asked, str) else [str(n) for n in asked]
    if len(words) != 3 or not all(re.fullmatch(r"[0-9]{1,6}", word.strip()) for word in words):
        raise InputError(f"k-points {asked!r}: give three whole numbers, as 8x8x1")
    a, b, c = (int(word) for word in words)
    if min(a, b, c) < 1 or a * b * c > MOST:
        raise InputError(f"k-points {asked!r}: from 1 to {MOST} points in all")
    for n, repeats, name in zip((a, b, c), cell.periodic.tolist(), "abc", strict=True):
        if n > 1 and not repeats:
            raise InputError(f"k-points {asked!r}: nothing repeats along {name}, give 1 there")
    return a, b, c


def mesh(counts: Counts, centred: bool = True) -> KPoints:
    """A regular mesh, reduced by time reversal: k and -k have the same energies.

    Parameters
    ----------
    counts : tuple of 3 int
    centred : bool
        At Gamma: x = n / N. Otherwise x = (2 n - N + 1) / (2 N) with n = 0 .. N - 1, the points of
        Monkhorst and Pack, Phys. Rev. B 13, 5188 (1976), which are the same for odd N.
    """
    axes = [np.arange(n) / n if centred else (2 * np.arange(n) - n + 1) / (2 * n) for n in counts]
    points = grid(axes)
    points -= np.round(points)
    scale = 2 * np.asarray(counts)
    whole = np.round(points * scale).astype(np.int64) % scale
    label = whole @ [4 * counts[1] * counts[2], 2 * counts[2], 1]
    mirrored = (-whole % scale) @ [4 * counts[1] * counts[2], 2 * counts[2], 1]
    kept = np.flatnonzero(label <= mirrored)
    weights = np.where(label[kept] == mirrored[kept], 1.0, 2.0) / label.size
    return KPoints(points[kept], weights, counts)
