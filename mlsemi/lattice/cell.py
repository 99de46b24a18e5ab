"""Cell: the vectors along which a chain, a layer or a crystal repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mlsemi.brief import Brief
from mlsemi.errors import InputError

FLATTEST = 1e-3
"""Least volume of a cell over the product of its edges."""

DIMENSIONS = {1: "a chain", 2: "a layer", 3: "a crystal"}


@dataclass(frozen=True, eq=False, repr=False)
class Cell(Brief):
    """Lattice vectors of one to three periodic directions.

    Parameters
    ----------
    vectors : (3, 3) array
        Rows, bohr; those of directions that do not repeat are ignored and set to zero.
    periodic : (3,) sequence of bool
        Which of them repeat: at least one.

    Raises
    ------
    InputError
        For no periodic direction, vectors that are not finite, zero or linearly dependent.
    """

    vectors: np.ndarray
    periodic: np.ndarray

    def __post_init__(self) -> None:
        periodic = np.array(self.periodic, dtype=bool)
        vectors = np.array(self.vectors, dtype=float)
        if vectors.shape != (3, 3) or periodic.shape != (3,) or not periodic.any():
            raise InputError("a cell has three vectors, and repeats along one of them at least")
        vectors[~periodic] = 0.0
        edges = np.linalg.norm(vectors[periodic], axis=1)
        if not np.isfinite(vectors).all() or not (edges > 0.0).all():
            raise InputError("the periodic vectors of the cell must be finite and longer than zero")
        for array in (vectors, periodic):
            array.setflags(write=False)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "periodic", periodic)
        if self.measure < FLATTEST * edges.prod():
            raise InputError("the periodic vectors of the cell are (nearly) linearly dependent")

    @classmethod
    def of(cls, vectors: ArrayLike, periodic: ArrayLike) -> Cell | None:
        """The cell of vectors and flags; None where nothing repeats (a zero vector does not)."""
        rows = np.asarray(vectors, dtype=float)
        repeats = np.asarray(periodic, dtype=bool) & rows.any(axis=1)
        return cls(rows, repeats) if repeats.any() else None

    @property
    def dimension(self) -> int:
        """Number of periodic directions."""
        return int(self.periodic.sum())

    @property
    def kind(self) -> str:
        """``a chain``, ``a layer`` or ``a crystal``."""
        return DIMENSIONS[self.dimension]

    @cached_property
    def completed(self) -> np.ndarray:
        """(3, 3) the vectors, and unit vectors normal to them where one is missing."""
        out = np.array(self.vectors)
        normals = np.linalg.svd(self.vectors)[2][self.dimension :]
        out[~self.periodic] = normals
        return out

    @cached_property
    def measure(self) -> float:
        """Length, area or volume of the cell."""
        return abs(float(np.linalg.det(self.completed)))

    @cached_property
    def reciprocal(self) -> np.ndarray:
        """(3, 3) rows b_i with a_i . b_j = 2 pi delta_ij; zero along what does not repeat."""
        rows = 2.0 * np.pi * np.linalg.inv(self.completed).T
        rows[~self.periodic] = 0.0
        return rows

    @cached_property
    def span(self) -> np.ndarray:
        """(3, 3) projector on the space that the vectors span."""
        return np.linalg.pinv(self.vectors) @ self.vectors

    def fractional(self, positions: np.ndarray) -> np.ndarray:
        """(n, 3) coordinates along the vectors (bohr along the normals where none repeats)."""
        return np.linalg.solve(self.completed.T, positions.T).T

    def wrapped(self, positions: np.ndarray) -> np.ndarray:
        """Positions of the images in the cell at the origin."""
        shift = np.where(self.periodic, np.floor(self.fractional(positions)), 0.0)
        return positions - shift @ self.vectors

    def shifts(self, reach: float) -> np.ndarray:
        """(n, 3) whole numbers of all cells in which an image lies within ``reach`` of an atom.

        For positions that are wrapped: their fractional coordinates differ by less than one.
        """
        spacing = 2.0 * np.pi / np.linalg.norm(self.reciprocal[self.periodic], axis=1)
        most = np.zeros(3, dtype=np.int64)
        most[self.periodic] = np.ceil(reach / spacing)
        return grid([np.arange(-n, n + 1) for n in most])

    def waves(self, longest: float) -> np.ndarray:
        """(n, 3) reciprocal vectors up to a length: one of G and -G, zero left out."""
        most = np.zeros(3, dtype=np.int64)
        lengths = np.linalg.norm(self.vectors[self.periodic], axis=1)
        most[self.periodic] = np.floor(longest * lengths / (2.0 * np.pi))
        whole = grid([np.arange(-n, n + 1) for n in most])
        whole = whole[whole.shape[0] // 2 + 1 :]
        vectors = whole @ self.reciprocal
        return vectors[np.linalg.norm(vectors, axis=1) <= longest]


def grid(axes: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 3) all combinations of the values of three axes, the last one fastest."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
