"""Sparse scalar kernels: similarity of an environment to a few chosen ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.model.terms.term import Weight
from mlsemi.symmetry.layers import Weights
from mlsemi.symmetry.selection import farthest_points, nystroem_map

CANDIDATES = 4000
"""Environments that the sparse points of one label are picked from."""

NEGLIGIBLE = 1e-6
"""Eigenvalues of the kernel of the points below this fraction of the largest are noise."""


class SparseRecord(NamedTuple):
    """Intermediates of :func:`kernel_factors` that its adjoint needs."""

    scaled: np.ndarray
    kernel: np.ndarray


def kernel_weights(name: str, n_label: int, n_sparse: int, size: int) -> dict[str, Weight]:
    """Weights of the kernel ``name``, set once: see :func:`kernel_factors`.

    Parameters
    ----------
    name : str
        ``atom`` or ``bond``.
    n_label, n_sparse, size : int
        Labels, points of each, invariants.
    """
    shapes = {
        "metric": (n_label, size),
        "points": (n_label, n_sparse, size),
        "root": (n_label, n_sparse, n_sparse),
    }
    return {f"sparse.{name}.{key}": Weight(shape, trained=False) for key, shape in shapes.items()}


def kernel_factors(
    x: np.ndarray, label: np.ndarray, weights: Weights, name: str
) -> tuple[np.ndarray, SparseRecord | None]:
    """One, and features psi of a scalar kernel on the invariants.

    psi_f = sum_M k(x, x_M) W_Mf, k = exp(-|g (x - x_M)|^2 / 2), W W^T = K^-1, K_MM' = k(x_M, x_M').
    The product of these factors with equivariant features q has the kernel
    (1 + sum_f psi_f psi'_f) q . q', the symmetry-adapted kernel of Grisafi et al., Phys. Rev. Lett.
    120, 036002 (2018), with its scalar part in the Nystroem approximation.

    Parameters
    ----------
    x : (n, n_invariant) array
    label : (n,) int array
        Species, or species pair: each has its own points.
    weights : mapping
        ``sparse.name.metric`` g (n_label, n_invariant); ``sparse.name.points`` g x_M (n_label,
        n_sparse, n_invariant); ``sparse.name.root`` W (n_label, n_sparse, n_sparse). Without
        them only the factor one is left.
    name : str
        ``atom`` or ``bond``.

    Returns
    -------
    (n, 1 + n_sparse) array, and the record for the adjoint.
    """
    if f"sparse.{name}.points" not in weights:
        return np.ones((x.shape[0], 1)), None
    points, root = weights[f"sparse.{name}.points"], weights[f"sparse.{name}.root"]
    scaled = x * weights[f"sparse.{name}.metric"][label]
    kernel = np.empty((x.shape[0], points.shape[1]))
    factors = np.ones((x.shape[0], 1 + points.shape[1]))
    for row in np.unique(label):
        chosen = label == row
        kernel[chosen] = gaussian(scaled[chosen], points[row])
        factors[chosen, 1:] = kernel[chosen] @ root[row]
    return factors, SparseRecord(scaled, kernel)


def gaussian(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, m) kernel exp(-|x - y|^2 / 2) between two sets of rows."""
    squared = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2.0 * x @ y.T
    return np.exp(-0.5 * np.maximum(squared, 0.0))


def kernel_factors_adjoint(
    label: np.ndarray, weights: Weights, name: str, record: SparseRecord, factors_bar: np.ndarray
) -> np.ndarray:
    """Adjoint of :func:`kernel_factors`: x_bar; points, metric and root are never trained."""
    points, root = weights[f"sparse.{name}.points"], weights[f"sparse.{name}.root"]
    scaled_bar = np.empty_like(record.scaled)
    for row in np.unique(label):
        chosen = label == row
        strength = record.kernel[chosen] * (factors_bar[chosen, 1:] @ root[row].T)
        scaled = record.scaled[chosen]
        scaled_bar[chosen] = strength @ points[row] - strength.sum(axis=1)[:, None] * scaled
    return scaled_bar * weights[f"sparse.{name}.metric"][label]


def place_points(
    weights: dict[str, np.ndarray], name: str, x: np.ndarray, label: np.ndarray
) -> None:
    """Metric, points and root of the inverse kernel of every label that occurs.

    The metric makes the mean square distance of two environments of one label two.

    Parameters
    ----------
    weights : dict
        Those of the kernel are changed.
    name : str
        ``atom`` or ``bond``.
    x : (n, n_invariant) array
    label : (n,) int array
    """
    metric, points, root = (weights[f"sparse.{name}.{key}"] for key in ("metric", "points", "root"))
    for row in np.unique(label):
        some = x[label == row]
        some = some[:: -(-some.shape[0] // CANDIDATES)]
        spread = some.std(axis=0)
        kept = spread > 1e-6
        metric[row, kept] = 1.0 / (spread[kept] * np.sqrt(kept.sum()))
        scaled = (some - some.mean(axis=0)) * metric[row]
        chosen = farthest_points(scaled, points.shape[1])
        points[row, : chosen.size] = some[chosen] * metric[row]
        found = points[row, : chosen.size]
        mapped = nystroem_map(gaussian(found, found), NEGLIGIBLE)
        root[row, : chosen.size, : mapped.shape[1]] = mapped
