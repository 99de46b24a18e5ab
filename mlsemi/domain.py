"""Training domain: how far the features of an atom are from everything the model was trained on."""

from __future__ import annotations

import numpy as np

from mlsemi.layers import Weights
from mlsemi.pairs import PairList

MARGIN = 1.25
"""An atom is outside when its distance exceeds the largest of the training set by this factor."""


def feature_distance(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom,) root mean square of the invariants in units of their spread in training.

    d_i = sqrt(mean_k ((x_ik - c_k) / s_k)^2) with center c and spread s of the species of atom i;
    the expectation value over the training set is one.

    Parameters
    ----------
    pairs : PairList
    invariants : (n_atom, n_invariant) array
        Invariants of the node features, rows sorted by species.
    weights : mapping
        ``domain.center``, ``domain.spread`` (n_species, n_invariant).
    """
    return np.sqrt(np.mean(standardised(pairs, invariants, weights) ** 2, axis=1))


def standardised(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom, n_invariant) invariants minus their mean, over their spread in training."""
    center = weights["domain.center"][pairs.species]
    return (invariants - center) / weights["domain.spread"][pairs.species]


def fit_domain(pairs: PairList, invariants: np.ndarray, n_species: int) -> dict[str, np.ndarray]:
    """Center, spread and limit of the training set, as weights of the model.

    Species without atoms keep an infinite spread: nothing is known about them, and parameter
    sets refuse their elements anyway.

    Parameters
    ----------
    pairs : PairList
        The whole training set.
    invariants : (n_atom, n_invariant) array
    n_species : int
    """
    center = np.zeros((n_species, invariants.shape[1]))
    spread = np.full_like(center, np.inf)
    for species, rows in pairs.groups:
        center[species] = invariants[rows].mean(axis=0)
        spread[species] = invariants[rows].std(axis=0) + 1e-6
    fitted = {"domain.center": center, "domain.spread": spread}
    limit = np.zeros(n_species)
    distance = feature_distance(pairs, invariants, fitted)
    for species, rows in pairs.groups:
        limit[species] = MARGIN * distance[rows].max()
    return fitted | {"domain.limit": limit}


def outside(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """Atoms of a one-structure pair list (in its order) that lie outside the training domain."""
    beyond = feature_distance(pairs, invariants, weights) > weights["domain.limit"][pairs.species]
    return np.flatnonzero(beyond[pairs.atom])
