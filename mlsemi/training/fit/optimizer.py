"""Adam in the eigenbasis of the gradient's covariances (SOAP: Vyas et al., arXiv:2409.11321).

For a weight matrix with gradient G, the running means

    L = <G G^T>,  R = <G^T G>,  L = Q_L l Q_L^T,  R = Q_R r Q_R^T

give axes in which the components of the gradient are nearly uncorrelated. Adam (Kingma and Ba 2014)
scales Q_L^T G Q_R element by element; the step is turned back. A stack of matrices (a first axis of
species) has axes for each. Vectors, and sides longer than ``LONGEST``, keep the axes they have.
"""

from __future__ import annotations

import numpy as np

LONGEST = 256
"""Sides of a matrix beyond this are not rotated: their eigenproblem costs more than it gains."""

REFRESH = 10
"""Steps between two updates of the axes."""

TINY = 1e-10
"""Added to the root of the second moment."""

LARGEST = 1.2
"""Of a component of the step, about what fixed axes allow. Turned axes see components whose second
moment is still that of another one, which may be zero where a species is rare."""

Moments = dict[str, np.ndarray]
"""``name:first`` and ``name:second`` of every weight; of matrices also ``name:left``,
``name:left_axes``, ``name:right``, ``name:right_axes``."""


def direction(
    moments: Moments, name: str, gradient: np.ndarray, step: int, beta1: float, beta2: float
) -> np.ndarray:
    """What to subtract from a weight, times the learning rate; updates its moments.

    Parameters
    ----------
    moments : dict
        Changed; empty before the first step.
    name : str
        Of the weight.
    gradient : (n,), (n, m) or (k, n, m) array
        The last a stack of matrices.
    step : int
        Counted from 1.
    beta1, beta2 : float
        Decay of the running means of the gradient, and of its squares and covariances.
    """
    stack = gradient if gradient.ndim == 3 else gradient.reshape(1, len(gradient), -1)
    first = _mean(moments, f"{name}:first", stack, beta1)
    sizes = dict(zip(("left", "right"), stack.shape[1:], strict=True))
    sides = [s for s, n in sizes.items() if gradient.ndim > 1 and 1 < n <= LONGEST]
    for side in sides:
        g = stack if side == "left" else stack.transpose(0, 2, 1)
        covariance = _mean(moments, f"{name}:{side}", g @ g.transpose(0, 2, 1), beta2)
        if step == 1 or step % REFRESH == 0:
            moments[f"{name}:{side}_axes"] = np.linalg.eigh(covariance)[1]
    axes = {side: moments[f"{name}:{side}_axes"] for side in sides}
    second = _mean(moments, f"{name}:second", _turned(stack, axes) ** 2, beta2)
    mean = _turned(first, axes) / (1.0 - beta1**step)
    scaled = mean / (np.sqrt(second / (1.0 - beta2**step)) + TINY)
    scaled = np.clip(scaled, -LARGEST, LARGEST)
    inverse = {side: q.transpose(0, 2, 1) for side, q in axes.items()}
    return _turned(scaled, inverse).reshape(gradient.shape)


def _mean(moments: Moments, key: str, value: np.ndarray, beta: float) -> np.ndarray:
    """Running mean, from zero."""
    moments[key] = beta * moments.get(key, 0.0) + (1.0 - beta) * value
    return moments[key]


def _turned(x: np.ndarray, axes: dict[str, np.ndarray]) -> np.ndarray:
    """Q_L^T x Q_R; a side without axes stays."""
    if "left" in axes:
        x = axes["left"].transpose(0, 2, 1) @ x
    return x @ axes["right"] if "right" in axes else x
