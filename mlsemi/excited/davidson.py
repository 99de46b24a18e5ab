"""Block Davidson iteration: the lowest eigenpairs of a symmetric matrix that is never stored.

E. R. Davidson, J. Comput. Phys. 17, 87 (1975); block form B. Liu (1978).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from mlsemi.errors import ConvergenceError
from mlsemi.excited.completeness import AGAIN, Linear, missed
from mlsemi.excited.subspace import DOUBLE, Subspace, orthonormal

Apply = Callable[[np.ndarray], np.ndarray]

LOOSE = 1e-3
"""Residual (hartree) below which the extra roots of the block are left alone."""

LEVEL = 4e-5
"""Extra roots closer than this (hartree) to the last wanted one are converged with it."""

NEAR = 1e-6
"""Least distance (hartree) of a loose root from an energy, in an inverse."""

ATTEMPTS = 12
"""Times that missed roots are taken in."""

FINE, TIGHTEST = 4e-7, 1e-6
"""Error (hartree) of a root through what lies beyond the block, and the residual asked for at most
for its sake: of a band of states that the block cuts mixtures with small residuals remain."""


class Precondition(Protocol):
    """Approximate inverse of A - w."""

    def __call__(self, residual: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """(k, n) residuals, (k,) Ritz values -> (k, n) corrections, about -(A - w)^-1 r."""

    def definite(self, energy: float, kind: np.dtype) -> Linear:
        """(k, n) rows -> (k, n) rows, about |A - energy|^-1 r; symmetric, positive definite."""


class Block(NamedTuple):
    """Ritz pairs of a subspace, lowest first.

    Attributes
    ----------
    values, norms : (k,) arrays
        Ritz values and norms of their residuals.
    mixing : (m, k) array
        Ritz vectors over the basis, columns.
    basis : (m, n) array
        Orthonormal rows.
    """

    values: np.ndarray
    norms: np.ndarray
    mixing: np.ndarray
    basis: np.ndarray

    def vectors(self, pairs: slice = slice(None)) -> np.ndarray:
        """Ritz vectors, as rows."""
        return np.asarray(self.mixing[:, pairs].T @ self.basis)


def lowest_eigenpairs(
    apply: Apply,
    precondition: Precondition,
    start: np.ndarray,
    n_root: int,
    tolerance: float,
    memory: int | None = None,
    with_extra: bool = False,
    single: Apply | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest eigenpairs, none missing whatever symmetry the start has.

    What :func:`converged_block` finds is checked (:func:`mlsemi.excited.completeness.missed`);
    directions of missed roots join the block until there are none.

    Parameters
    ----------
    apply : callable
        (k, n) vectors -> (k, n) images A x.
    precondition : Precondition
    start : (n_block, n) array
        Guess, n_block >= n_root.
    n_root : int
    tolerance : float
        Largest residual norm of a wanted pair.
    memory : int, optional
        Bytes for vectors and images.
    with_extra : bool
        Return the extra roots too, converged or not.
    single : callable, optional
        ``apply`` in single precision, which does for the check.

    Returns
    -------
    (n_root,) ascending eigenvalues and (n_root, n) orthonormal eigenvectors.

    Raises
    ------
    ConvergenceError
        If the iteration does not converge, or roots are still missing in the end.
    """
    n_out = None if with_extra else n_root
    for attempt in range(ATTEMPTS):
        block = converged_block(apply, precondition, start, n_root, tolerance, memory=memory)
        # apart, so that the number of extra ones does not touch a bit of the others
        wanted, extra = block.vectors(slice(n_root)), block.vectors(slice(n_root, None))
        vectors = np.concatenate([wanted, extra])
        settled = block.norms <= tolerance
        up_to = reach(block.values[:n_root], block.norms[:n_root])
        checked = vectors.astype(np.float32) if single else vectors
        loose = checked[~settled], np.abs(block.values[~settled] - up_to)
        known, products = checked[settled], single or apply
        lower = lower_directions(products, precondition, known, loose, up_to, attempt)
        if not lower.size:
            return block.values[:n_out], vectors[:n_out]
        start = np.concatenate([vectors, lower])
    raise ConvergenceError(
        f"excited states below the last of {n_root} are still missing; ask for more states"
    )


def lower_directions(
    apply: Apply,
    precondition: Precondition,
    known: np.ndarray,
    loose: tuple[np.ndarray, np.ndarray],
    energy: float,
    attempt: int,
    again: int = AGAIN,
) -> np.ndarray:
    """Directions below an energy that an iteration has missed.

    Parameters
    ----------
    apply : callable
        (k, n) vectors -> (k, n) images A x.
    precondition : Precondition
    known : (k, n) array
        Vectors found, orthonormal rows; the directions are orthogonal to them.
    loose : tuple of (m, n) and (m,) arrays
        Others, and their distances from the energy: they help the preconditioner, but are not
        known, since what they mix with may lie below.
    energy : float
        Hartree; Rayleigh quotients of the directions lie below.
    attempt, again : int
        As in :func:`mlsemi.excited.completeness.missed`.

    Returns
    -------
    (l, n) array.
    """
    n, kind = known.shape[1], known.dtype
    if len(known) == n:
        return np.empty((0, n), kind)

    near = precondition.definite(energy, kind)

    def outside(x: np.ndarray) -> np.ndarray:
        return x - (x @ known.T) @ known

    def inverse(x: np.ndarray) -> np.ndarray:
        return near(x) + along(x, *loose)

    def shifted(x: np.ndarray) -> np.ndarray:
        return apply(x) - kind.type(energy) * x

    return missed(shifted, inverse, outside, outside, n, kind, attempt, again)


def along(x: np.ndarray, vectors: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Rows x times the inverse of what has these eigenvectors and ``distances``, and no others.

    Parameters
    ----------
    x : (n, size) array
    vectors : (m, size) array
        Orthonormal eigenvectors as rows.
    distances : (m,) array
        Their eigenvalues, hartree.
    """
    return ((x @ vectors.T) / np.maximum(distances, NEAR).astype(x.dtype)) @ vectors


def converged_block(
    apply: Apply,
    precondition: Precondition,
    start: np.ndarray,
    n_root: int,
    tolerance: float,
    max_iteration: int = 150,
    memory: int | None = None,
) -> Block:
    """Low eigenpairs by block Davidson with thick restarts; symmetry may keep some of them out.

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

    Returns
    -------
    Block
        All pairs that were followed, the extra ones converged or not.

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
    space = Subspace(n, n_block, kind, memory)
    every = np.arange(n_block)
    watched = every
    worst, strict = np.inf, tolerance
    for _ in range(max_iteration):
        space.add(fresh, apply(fresh))
        values, small = space.lowest(n_block)
        residual, norms = space.residuals(values, small, watched)
        n_close = close(values, n_root, tolerance)
        strict = strictly(values, n_root, tolerance) if kind == DOUBLE else tolerance
        allowed = np.where(every < n_close, strict, max(LOOSE, tolerance))
        if watched.size < n_block and (norms < allowed[watched])[watched < n_close].all():
            # roots left alone since they converged may have moved: look at all of them again
            watched = every
            residual, norms = space.residuals(values, small, watched)
        worst = float(norms[watched < n_close].max())
        if watched.size == n_block and (worst < strict or space.size == n):
            return Block(values, norms, small, space.basis)
        opened = norms > allowed[watched]
        watched = watched[opened]
        step = precondition(residual[opened], values[watched]).astype(kind, copy=False)
        if step.shape[0] > space.room:
            space.restart(values, small)
        fresh = orthonormal(step, space.basis)[: space.room]
        if not fresh.shape[0]:
            break
    raise ConvergenceError(
        f"excited states did not converge: residual {worst:.1e} hartree (allowed "
        f"{strict:.1e}) with {n_root} roots; ask for a few more or fewer states"
    )


def close(values: np.ndarray, n_root: int, tolerance: float) -> int:
    """Number of the wanted roots and of those that form a level with the last one.

    Parameters
    ----------
    values : (m,) array
        Ascending energies of the block, hartree.
    n_root : int
    tolerance : float
        Residual norm, hartree.
    """
    return int(np.searchsorted(values, values[n_root - 1] + min(2.0 * tolerance, LEVEL)))


def reach(values: np.ndarray, norms: np.ndarray) -> float:
    """Energy up to which nothing may be missing, as far as extra roots are converged.

    A pair may be a mixture with a missing one that lies its residual or so above.
    """
    return float((values + np.minimum(2.0 * norms, LEVEL)).max())


def strictly(values: np.ndarray, n_root: int, tolerance: float) -> float:
    """Residual norm asked for where the block ends close above the wanted roots.

    Parameters
    ----------
    values : (m,) array
        Ascending energies of the block, hartree.
    n_root : int
    tolerance : float
        Residual norm, hartree.
    """
    room = float(values[-1] - values[n_root - 1])
    return min(tolerance, max(TIGHTEST, float(np.sqrt(FINE * room))))
