"""Block Davidson iteration for pairs (A + B) Z = w W, (A - B) W = w Z, Z.W = 1.

R. E. Stratmann, G. E. Scuseria, M. J. Frisch, J. Chem. Phys. 109, 8218 (1998): one orthonormal
basis holds the vectors of both kinds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg

from mlsemi.davidson import orthonormal
from mlsemi.errors import ConvergenceError

ApplyBoth = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
PreconditionBoth = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def reduced_pairs(
    plus: np.ndarray, minus: np.ndarray, n_root: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest pairs of small matrices M+ = A + B, M- = A - B.

    With M- = L L^T the symmetric problem is L^T M+ L T = w^2 T; Z = L T w^-1/2, W = L^-T T w^1/2.

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
    max_iteration: int = 60,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest pairs with thick restarts; the rows of ``start`` beyond ``n_root`` make room.

    Parameters
    ----------
    apply : callable
        (k, n) vectors -> (k, n) images by A + B and by A - B.
    precondition : callable
        Residuals of both equations, energies -> corrections of X and of Y.
    start : (n_block, n) array
        Guess of X, n_block >= n_root.
    n_root : int
    tolerance : float
        Largest residual norm of either equation.
    max_iteration : int

    Returns
    -------
    (n_root,) ascending energies and (n_root, n) vectors Z, W.

    Raises
    ------
    ConvergenceError
        If the ground state is unstable, or a residual is too large after ``max_iteration``.
    """
    n_block, n = start.shape
    limit = min(n, 10 * n_block + 40)
    basis, fresh = np.empty((0, n)), orthonormal(start, np.empty((0, n)))
    images = np.empty((2, 0, n))
    worst = np.inf
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
        worst = float(norms[:n_root].max())
        if worst < tolerance or len(basis) == n:
            return energies[:n_root], z.T[:n_root] @ basis, w.T[:n_root] @ basis
        opened = np.flatnonzero(norms > tolerance)
        opened = opened[opened < n_root + (n_block - n_root) // 2]
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
        f"{tolerance:.1e}) with {n_root} roots; ask for a few more or fewer states"
    )
