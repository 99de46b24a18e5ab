"""Fixed features made from training data: principal components and sparse points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlsemi.kernels.coupling import bond_invariants
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.catalogue import weights_of
from mlsemi.model.terms.fixed import (
    FeatureRecord,
    as_tensors,
    correlations_of,
    expansion_of,
    features_of,
)
from mlsemi.model.terms.sparse import gaussian
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.selection import covariance, farthest_points, principal_maps
from mlsemi.symmetry.tensors import SCALAR

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
    density = as_tensors(expansion_of(pairs, basis))
    for (l, _), value in density.items():
        for species, rows in pairs.groups:
            weights[f"density.{l}"][species] = principal_components(value[rows], form.n_channel)
    first = {name: value for name, value in weights.items() if name.startswith("density.")}
    stacked = correlations_of(first)(density, pairs.groups)[1]
    for (l, _), products in stacked.items():
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
    matrix = covariance(x) / x.shape[1]
    found = principal_maps({SCALAR: matrix}, n_keep).get(SCALAR, np.zeros((x.shape[2], 0)))
    out = np.zeros((x.shape[2], n_keep))
    out[:, : found.shape[1]] = found / np.sqrt(np.einsum("qk,qp,pk->k", found, matrix, found))
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
