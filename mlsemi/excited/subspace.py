"""A growing subspace of the Davidson iterations: orthonormal vectors, images, Ritz pairs."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from mlsemi.errors import ConvergenceError

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)

WELL_OUTSIDE, WELL_APART = {DOUBLE: 0.05, SINGLE: 0.3}, 1e-3
"""Share of a vector outside the basis (errors of one pass grow by its inverse with each block that
is added), smallest eigenvalue of the overlap of new vectors."""


class Subspace:
    """Orthonormal vectors as rows, their images A x and the matrix A between them.

    Parameters
    ----------
    n : int
        Length of a vector.
    n_block : int
        Vectors that are kept when it restarts.
    kind : numpy.dtype
        Precision.
    memory : int, optional
        Bytes for vectors and images.
    """

    def __init__(self, n: int, n_block: int, kind: np.dtype, memory: int | None = None) -> None:
        limit = 8 * n_block + 40
        if memory is not None:
            limit = max(3 * n_block, min(limit, memory // (16 * n)))
        self.limit, self.size = min(n, limit), 0
        self._basis, self._image = (np.empty((self.limit, n), kind) for _ in range(2))
        self._projected = np.empty((self.limit, self.limit), kind)

    @property
    def basis(self) -> np.ndarray:
        """(size, n) orthonormal rows."""
        return self._basis[: self.size]

    @property
    def image(self) -> np.ndarray:
        """(size, n) images of the basis."""
        return self._image[: self.size]

    @property
    def room(self) -> int:
        """Vectors that may still be added."""
        return self.limit - self.size

    def add(self, fresh: np.ndarray, image: np.ndarray) -> None:
        """Take in vectors.

        Parameters
        ----------
        fresh, image : (k, n) arrays
            Rows that are orthonormal, also to the basis, and their images.
        """
        old, self.size = self.size, self.size + len(fresh)
        self._basis[old : self.size], self._image[old : self.size] = fresh, image
        self._projected[old : self.size, : self.size] = self._image[old : self.size] @ self.basis.T

    def lowest(self, n_block: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest Ritz values and their vectors over the basis, columns."""
        lower, last = self._projected[: self.size, : self.size], min(n_block, self.size) - 1
        try:
            return scipy.linalg.eigh(lower, subset_by_index=(0, last), check_finite=False)
        except np.linalg.LinAlgError as error:
            raise ConvergenceError(f"the Davidson subspace broke down: {error}") from None

    def residuals(
        self, values: np.ndarray, small: np.ndarray, roots: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residuals A x - w x of some Ritz pairs and their norms.

        Parameters
        ----------
        values : (k,) array
            Hartree.
        small : (size, k) array
            Over the basis, columns.
        roots : (m,) int array
            Which ones.

        Returns
        -------
        (m, n) and (m,) arrays.
        """
        chosen = small[:, roots].T
        residual = chosen @ self.image - (values[roots, None] * chosen) @ self.basis
        return residual, np.linalg.norm(residual, axis=1)

    def restart(self, values: np.ndarray, small: np.ndarray) -> None:
        """Keep nothing but some Ritz pairs.

        Parameters
        ----------
        values : (k,) array
            Hartree.
        small : (size, k) array
            Over the basis, columns.
        """
        n = values.size
        self._basis[:n], self._image[:n] = small.T @ self.basis, small.T @ self.image
        self._projected[:n, :n], self.size = np.diag(values), n


def orthonormal(vectors: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Orthonormalise vectors against a basis and each other, dropping dependent ones.

    Once is enough for vectors that lie mostly outside the basis and are well apart; otherwise
    rounding errors are projected out a second time.

    Parameters
    ----------
    vectors : (k, n) array
    basis : (m, n) array
        Orthonormal rows.

    Returns
    -------
    (l, n) array, l <= k.
    """
    kind = vectors.dtype
    for _ in range(2):
        before = np.linalg.norm(vectors, axis=1)
        vectors = vectors - (vectors @ basis.T) @ basis
        norms = np.linalg.norm(vectors, axis=1)
        outside = norms / np.maximum(before, 1e-300)
        kept = norms > 1e-14
        vectors = vectors[kept] / norms[kept, None]
        values, mixing = np.linalg.eigh(vectors @ vectors.T)
        apart = values > (1e-8 if kind == DOUBLE else 1e-4)
        vectors = (mixing[:, apart] / np.sqrt(values[apart])).T @ vectors
        well_outside = outside.min(initial=1.0) > WELL_OUTSIDE[kind]
        if well_outside and values.min(initial=1.0) > WELL_APART:
            break
    return vectors
