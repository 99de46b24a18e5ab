"""Fixed features made from training data: principal components and sparse points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlsemi.kernels.coupling import bond_invariants
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.catalogue import weights_of
from mlsemi.model.terms.fixed import (
    FeatureRecord,
    expansion_of,
    features_of,
    first_order,
    second_order,
)
from mlsemi.model.terms.sparse import gaussian
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.selection import farthest_points
from mlsemi.symmetry.so3 import L_MAX, components

NEGLIGIBLE = 1e-10
"""Directions with less than this fraction of the largest variance are noise."""

CANDIDATES = 4000
"""Environments that the sparse points of one label are picked from."""


def fixed_representation(form: ModelForm, pairs: PairList) -> dict[str, np.ndarray]:
    """Weights of the features of linear and kernel models; training does not touch them.

    Principal components of rho^1, then of all its products rho^2, per species and degree, each of
    unit mean square (scalars of rho^2 about their mean); sparse points by farthest-point sampling.

    Parameters
    ----------
    form : ModelForm
    pairs : PairList
        Some hundred training structures.
    """
    weights = {
        name: np.zeros(fact.shape)
        for name, fact in weights_of(form).items()
        if name.startswith(("density.", "node.", "sparse."))
    }
    basis, _ = form.radial(pairs.distance)
    expansion = expansion_of(pairs, basis)
    for l in range(L_MAX + 1):
        for species, rows in pairs.groups:
            weights[f"density.{l}"][species] = principal_components(
                expansion[rows, components(l)], form.n_channel
            )
    stacked = second_order(first_order(pairs, expansion, weights))
    for l, products in enumerate(stacked):
        for species, rows in pairs.groups:
            mean = products[rows].mean(axis=(0, 1)) if l == 0 else np.zeros(products.shape[2])
            matrix = principal_components(products[rows] - mean, form.n_node)
            weights[f"node.{l}"][species] = matrix
            if l == 0:
                weights["node.bias"][species] = -mean @ matrix
    if form.kind == "kernel":
        features = features_of(pairs, basis, weights)
        for name, x, label in _environments(pairs, basis, features, form.n_channel):
            _place_points(weights, name, x, label)
    return weights


def principal_components(x: np.ndarray, n_keep: int) -> np.ndarray:
    """(n_feature, n_keep) map to the leading components, each of unit mean square.

    Parameters
    ----------
    x : (n, 2l+1, n_feature) array
        All components m share the map, which keeps the symmetry.
    n_keep : int
        Missing components are zero.
    """
    flat = x.reshape(-1, x.shape[2])
    values, vectors = np.linalg.eigh(flat.T @ flat / flat.shape[0])
    chosen = np.flatnonzero(values > NEGLIGIBLE * values[-1])[::-1][:n_keep]
    out = np.zeros((x.shape[2], n_keep))
    out[:, : chosen.size] = vectors[:, chosen] / np.sqrt(values[chosen])
    return out


def _environments(
    pairs: PairList, basis: np.ndarray, features: FeatureRecord, n_channel: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Invariants that the kernels compare, and their labels: of atoms, then of pairs."""
    yield "atom", features.invariants, pairs.species
    rho1 = np.ascontiguousarray(features.plain[:, :, :n_channel])
    projections = bond_invariants(pairs.first, pairs.second, pairs.sphere, rho1)
    yield "bond", np.concatenate([projections, basis], axis=1), pairs.pair_species


def _place_points(
    weights: dict[str, np.ndarray], name: str, x: np.ndarray, label: np.ndarray
) -> None:
    """Metric, points and inverse root of the kernel of every label that occurs.

    The metric makes the mean square distance of two environments of one label two.
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
        values, vectors = np.linalg.eigh(gaussian(found, found))
        inverse = vectors / np.sqrt(np.maximum(values, 1e-6)) @ vectors.T
        root[row, : chosen.size, : chosen.size] = inverse
