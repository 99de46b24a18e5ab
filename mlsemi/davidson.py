"""Block Davidson iteration: the lowest eigenpairs of a symmetric matrix that is never stored.

E. R. Davidson, J. Comput. Phys. 17, 87 (1975); block form B. Liu (1978).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg

from mlsemi.errors import ConvergenceError

Apply = Callable[[np.ndarray], np.ndarray]
Precondition = Callable[[np.ndarray, np.ndarray], np.ndarray]

WELL_OUTSIDE, WELL_APART = 0.05, 1e-3
"""Share of a vector outside the basis, smallest eigenvalue of the overlap of new vectors."""

LOOSE = 1e-3
"""Residual (hartree) below which the extra roots of the block are left alone."""


def lowest_eigenpairs(
    apply: Apply,
    precondition: Precondition,
    start: np.ndarray,
    n_root: int,
    tolerance: float,
    max_iteration: int = 60,
    memory: int | None = None,
    with_extra: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest eigenpairs by block Davidson with thick restarts.

    As many roots are followed as ``start`` has independent rows, ``n_root`` of them to convergence:
    the extra ones keep a root that rises late from being missed and the last wanted root apart
    from the first unwanted one.

    Parameters
    ----------
    apply : callable
        (k, n) vectors -> (k, n) images A x.
    precondition : callable
        (k, n) residuals, (k,) Ritz values -> (k, n) corrections.
    start : (n_block, n) array
        Guess, n_block >= n_root; rows need not be orthonormal, dependent ones are dropped. Vectors
        and images are kept in its precision.
    n_root : int
        Number of pairs wanted.
    tolerance : float
        Largest residual norm |A x - w x| of a wanted pair.
    max_iteration : int
    memory : int, optional
        Bytes for vectors and images; the iteration restarts when they are full.
    with_extra : bool
        Return the extra roots too, converged or not.

    Returns
    -------
    (n_root,) ascending eigenvalues and (n_root, n) orthonormal eigenvectors.

    Raises
    ------
    ConvergenceError
        If a residual is still too large after ``max_iteration`` iterations, or the guesses are
        too few.
    """
    kind, n = start.dtype, start.shape[1]
    fresh = orthonormal(start, np.empty((0, n), kind))
    n_block = fresh.shape[0]
    if n_block < n_root:
        raise ConvergenceError(f"only {n_block} independent guesses for {n_root} excited states")
    limit = _subspace(n, n_block, memory)
    basis, image = np.empty((limit, n), kind), np.empty((limit, n), kind)
    projected = np.empty((limit, limit), kind)
    n_out = n_block if with_extra else n_root
    every = np.arange(n_block)
    allowed = np.where(every < n_root, tolerance, max(LOOSE, tolerance))
    size, watched = 0, every
    worst = np.inf
    for _ in range(max_iteration):
        grown = size + fresh.shape[0]
        basis[size:grown], image[size:grown] = fresh, apply(fresh)
        projected[size:grown, :grown] = image[size:grown] @ basis[:grown].T
        size = grown
        values, small = _lowest(projected[:size, :size], n_block)
        residual, norms = _residuals(basis[:size], image[:size], values, small, watched)
        if watched.size < n_block and (norms < allowed[watched])[watched < n_root].all():
            # roots left alone since they converged may have moved: look at all of them again
            watched = every
            residual, norms = _residuals(basis[:size], image[:size], values, small, watched)
        worst = float(norms[watched < n_root].max())
        if watched.size == n_block and (worst < tolerance or size == n):
            return values[:n_out], small[:, :n_out].T @ basis[:size]
        opened = norms > allowed[watched]
        watched = watched[opened]
        step = precondition(residual[opened], values[watched]).astype(kind, copy=False)
        if size + step.shape[0] > limit:
            basis[:n_block], image[:n_block] = small.T @ basis[:size], small.T @ image[:size]
            projected[:n_block, :n_block], size = np.diag(values), n_block
        fresh = orthonormal(step, basis[:size])[: limit - size]
        if not fresh.shape[0]:
            break
    raise ConvergenceError(
        f"excited states did not converge: residual {worst:.1e} hartree (allowed "
        f"{tolerance:.1e}) with {n_root} roots; ask for a few more or fewer states"
    )


def _subspace(n: int, n_block: int, memory: int | None) -> int:
    """Largest number of basis vectors."""
    limit = 8 * n_block + 40
    if memory is not None:
        limit = max(3 * n_block, min(limit, memory // (16 * n)))
    return min(n, limit)


def _residuals(
    basis: np.ndarray, image: np.ndarray, values: np.ndarray, small: np.ndarray, roots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals A x - w x of the chosen Ritz pairs and their norms."""
    chosen = small[:, roots].T
    residual = chosen @ image - (values[roots, None] * chosen) @ basis
    return residual, np.linalg.norm(residual, axis=1)


def _lowest(lower: np.ndarray, n_block: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest eigenpairs of a small matrix given by its lower triangle."""
    try:
        return scipy.linalg.eigh(
            lower, subset_by_index=(0, min(n_block, lower.shape[0]) - 1), check_finite=False
        )
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(f"the Davidson subspace broke down: {error}") from None


def orthonormal(vectors: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Orthonormalise ``vectors`` against ``basis`` and each other, dropping dependent ones.

    Once is enough for vectors that lie mostly outside the basis and are well apart; otherwise
    rounding errors are projected out a second time.
    """
    for _ in range(2):
        before = np.linalg.norm(vectors, axis=1)
        vectors = vectors - (vectors @ basis.T) @ basis
        norms = np.linalg.norm(vectors, axis=1)
        outside = norms / np.maximum(before, 1e-300)
        kept = norms > 1e-14
        vectors = vectors[kept] / norms[kept, None]
        values, mixing = np.linalg.eigh(vectors @ vectors.T)
        apart = values > (1e-8 if vectors.dtype == np.float64 else 1e-4)
        vectors = (mixing[:, apart] / np.sqrt(values[apart])).T @ vectors
        if outside.min(initial=1.0) > WELL_OUTSIDE and values.min(initial=1.0) > WELL_APART:
            break
    return vectors
