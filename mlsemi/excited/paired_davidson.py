"""Block Davidson iteration for pairs (A + B) Z = w W, (A - B) W = w Z, Z.W = 1.

R. E. Stratmann, G. E. Scuseria, M. J. Frisch, J. Chem. Phys. 109, 8218 (1998): one orthonormal
basis holds the vectors of both kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import scipy.linalg

from mlsemi.errors import ConvergenceError
from mlsemi.excited.completeness import Linear, missed
from mlsemi.excited.davidson import ATTEMPTS, along, close, reach, strictly
from mlsemi.excited.subspace import orthonormal

ApplyBoth = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class PreconditionBoth(Protocol):
    """Approximate inverses of A - w and A + w."""

    def __call__(
        self, plus: np.ndarray, minus: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of both equations, energies -> corrections of X and of Y."""

    def definite(self, energy: float, kind: np.dtype) -> Linear:
        """Rows (X, Y) -> about (|A - energy|^-1 X, (A + energy)^-1 Y), positive definite."""


def reduced_pairs(
    plus: np.ndarray, minus: np.ndarray, n_root: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest pairs of small matrices M+ = A + B, M- = A - B.

    With M- = L L^T the symmetric problem is L^T M+ L T = w^2 T; Z = L T w^-1/2, W = L^-T T w^1/2.

    Parameters
    ----------
    plus, minus : (n, n) arrays
        M+ and M-, hartree.
    n_root : int

    Returns
    -------
    (n_root,) energies, and Z, W as columns.

    Raises
    ------
    ConvergenceError
        If one of the matrices is not positive definite.
    """
    try:
        L = np.linalg.cholesky(minus)
        squares, T = scipy.linalg.eigh(
            L.T @ plus @ L, subset_by_index=(0, n_root - 1), check_finite=False
        )
    except np.linalg.LinAlgError:
        squares = np.array([-1.0])
    if squares[0] <= 0.0:
        raise ConvergenceError(
            "the closed-shell ground state is unstable in the full response: use the Tamm-Dancoff "
            "approximation"
        )
    energies = np.sqrt(squares)
    Z = (L @ T) / np.sqrt(energies)
    W = scipy.linalg.solve_triangular(L, T, lower=True, trans="T") * np.sqrt(energies)
    return energies, Z, W


def lowest_pairs(
    apply: ApplyBoth,
    precondition: PreconditionBoth,
    start: np.ndarray,
    n_root: int,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest pairs, none missing whatever symmetry the start has.

    (A - s, B; B, A + s) has as many negative eigenvalues as there are energies below s: on what is
    left beside the pairs found it must have none (:func:`mlsemi.excited.completeness.missed`).

    Parameters
    ----------
    apply : callable
        (k, n) vectors -> (k, n) images by A + B and by A - B.
    precondition : PreconditionBoth
    start : (n_block, n) array
        Guess of X, n_block >= n_root; the rows beyond ``n_root`` make room.
    n_root : int
    tolerance : float
        Largest residual norm of either equation.

    Returns
    -------
    (n_root,) ascending energies and (n_root, n) vectors Z, W.

    Raises
    ------
    ConvergenceError
        If the ground state is unstable, the iteration does not converge, or roots are still
        missing in the end.
    """
    n_block = len(start)
    for attempt in range(ATTEMPTS):
        energies, Z, W, norms = _converged(apply, precondition, start, n_root, n_block, tolerance)
        settled = norms <= tolerance
        up_to = reach(energies[:n_root], norms[:n_root])
        every = 0.5 * np.concatenate([Z + W, Z - W], axis=1)
        loose = every[~settled], np.abs(energies[~settled] - up_to)
        lower = _lower(apply, precondition, every[settled], loose, up_to, attempt)
        if not len(lower):
            return energies[:n_root], Z[:n_root], W[:n_root]
        start = np.concatenate([Z, W, *np.split(lower, 2, axis=1)])
        n_block += len(lower)
    raise ConvergenceError(
        f"excited states below the last of {n_root} are still missing; ask for more states"
    )


def _lower(
    apply: ApplyBoth,
    precondition: PreconditionBoth,
    known: np.ndarray,
    loose: tuple[np.ndarray, np.ndarray],
    energy: float,
    attempt: int,
) -> np.ndarray:
    """Directions (X, Y) beside the ``known`` pairs, all (k, 2 n), below ``energy``.

    What is ``loose``, pairs and their distances from that energy, helps the preconditioner.
    """
    n = known.shape[1] // 2
    conjugate = np.concatenate([known[:, :n], -known[:, n:]], axis=1)
    near = precondition.definite(energy, known.dtype)

    def shifted(vectors: np.ndarray) -> np.ndarray:
        x, y = vectors[:, :n], vectors[:, n:]
        plus, minus = apply(np.concatenate([x + y, x - y]))
        plus, minus = plus[: len(x)], minus[len(x) :]
        image = 0.5 * np.concatenate([plus + minus, plus - minus], axis=1)
        return image - energy * np.concatenate([x, -y], axis=1)

    return missed(
        shifted,
        lambda x: near(x) + along(x, *loose),
        lambda x: x - (x @ conjugate.T) @ known,
        lambda x: x - (x @ known.T) @ conjugate,
        2 * n,
        known.dtype,
        attempt,
    )


def _converged(
    apply: ApplyBoth,
    precondition: PreconditionBoth,
    start: np.ndarray,
    n_root: int,
    n_block: int,
    tolerance: float,
    max_iteration: int = 150,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Low pairs with thick restarts: (n_block,) energies, (n_block, n) Z and W, residual norms."""
    n = start.shape[1]
    limit = min(n, 10 * n_block + 40)
    basis, fresh = np.empty((0, n)), orthonormal(start, np.empty((0, n)))
    images = np.empty((2, 0, n))
    worst, strict = np.inf, tolerance
    for _ in range(max_iteration):
        basis = np.concatenate([basis, fresh])
        images = np.concatenate([images, np.stack(apply(fresh))], axis=1)
        plus, minus = (0.5 * (small + small.T) for small in images @ basis.T)
        energies, z, w = reduced_pairs(plus, minus, min(n_block, len(basis)))
        residuals = (
            z.T @ images[0] - energies[:, None] * (w.T @ basis),
            w.T @ images[1] - energies[:, None] * (z.T @ basis),
        )
        norms = np.maximum(*(np.linalg.norm(r, axis=1) for r in residuals))
        n_close = close(energies, n_root, tolerance)
        worst, strict = float(norms[:n_close].max()), strictly(energies, n_root, tolerance)
        if worst < strict or len(basis) == n:
            parts = slice(n_root), slice(n_root, None)
            Z, W = (np.concatenate([v.T[p] @ basis for p in parts]) for v in (z, w))
            return energies, Z, W, norms
        opened = np.flatnonzero(norms > strict)
        opened = opened[opened < max(n_close, n_root + (n_block - n_root) // 2)]
        steps = np.concatenate(
            precondition(residuals[0][opened], residuals[1][opened], energies[opened])
        )
        if len(basis) + len(steps) > limit:
            kept = orthonormal(np.concatenate([z.T, w.T]), np.empty((0, len(basis))))
            basis, images = kept @ basis, kept @ images
        fresh = orthonormal(steps, basis)[: limit - len(basis)]
        if not len(fresh):
            break
    raise ConvergenceError(
        f"excited states did not converge: residual {worst:.1e} hartree (allowed "
        f"{strict:.1e}) with {n_root} roots; ask for a few more or fewer states"
    )
