"""Whether an iteration has missed an eigenvalue: directions of negative curvature.

Vectors that start in some symmetry species stay there, and copies of a molecule do not feel each
other: an iteration converges without ever having seen some of the lowest states. All states below
an energy s are found if A - s is positive on the complement of those found. Conjugate gradients
for (A - s) x = b with a random b decide that: as long as every curvature p (A - s) p is positive,
no polynomial they build damps the part of b along an eigenvector below s. Once the residual is
smaller than that part there is none; where there is one, a negative curvature shows it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlsemi.errors import ConvergenceError

Linear = Callable[[np.ndarray], np.ndarray]

ENOUGH = 0.003
"""Residual in the norm of the inverse preconditioner (hartree^-1/2) that a hidden state would
exceed: its part of a standard normal vector over its own norm, which is at most one half. One in
six hundred that lie next to s may escape; those further below are found all the more surely."""

MOST = 300
"""Iterations; a few dozen are usual."""

AGAIN = 3
"""Random vectors beside the first one once that has found something; twice as many each time."""


def missed(
    shifted: Linear,
    inverse: Linear,
    outside: Linear,
    dual: Linear,
    n: int,
    kind: np.dtype,
    attempt: int,
    again: int = AGAIN,
) -> np.ndarray:
    """Directions in which an iteration has missed states below an energy s; none if it is complete.

    One random vector meets every such state, but of a degenerate level one direction only: once
    it has found something, more of them are tried.

    Parameters
    ----------
    shifted : callable
        Rows x -> (A - s) x.
    inverse : callable
        Rows x -> M x, positive definite, near (A - s)^-1.
    outside, dual : callables
        Rows x -> x without the states that were found, and its transpose (for right-hand sides).
    n : int
        Dimension.
    kind : numpy.dtype
        Precision.
    attempt : int
        How often something has been found already; says which random vectors are taken, too.
    again : int
        Random vectors beside the first one once that has found something, on the first attempt.

    Returns
    -------
    (m, n) array, of norm one; p (A - s) p < 0 and independent of the states that were found.

    Raises
    ------
    ConvergenceError
        If it stays undecided.
    """
    random = np.random.default_rng(attempt)
    found = np.empty((0, n), kind)
    for n_vector in (1, again * 2**attempt):
        right = dual(random.standard_normal((n_vector, n)).astype(kind))
        # the states found are not exact: what their residuals leave inside would pile up
        below = _negative(lambda x: dual(shifted(x)), lambda x: outside(inverse(x)), right)
        if not below:
            break
        found = np.concatenate([found, np.array(below, kind)])
    return found


def _negative(shifted: Linear, inverse: Linear, residual: np.ndarray) -> list[np.ndarray]:
    """The first direction of negative curvature of each right-hand side that has one."""
    below: list[np.ndarray] = []
    direction = step = inverse(residual)
    size = np.einsum("kn,kn->k", residual, step)
    for _ in range(MOST):
        image = shifted(direction)
        curvature = np.einsum("kn,kn->k", direction, image)
        # what rounding leaves of a curvature does not tell its sign
        left = curvature > np.finfo(direction.dtype).eps * np.einsum(
            "kn,kn->k", direction, direction
        )
        below += [p / np.linalg.norm(p) for p in direction[~left]]
        if not left.all():
            residual, direction, image = residual[left], direction[left], image[left]
            size, curvature = size[left], curvature[left]
        before, residual = size, residual - (size / curvature)[:, None] * image
        step = inverse(residual)
        size = np.einsum("kn,kn->k", residual, step)
        direction = step + (size / before)[:, None] * direction
        done = size <= ENOUGH**2
        if done.any():
            residual, direction, size = residual[~done], direction[~done], size[~done]
        if not size.size:
            return below
    raise ConvergenceError(
        "cannot tell whether an excited state is missing; ask for a few more or fewer states"
    )
