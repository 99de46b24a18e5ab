"""Training domain: how far the features of an atom are from everything the model was trained on.

Parameter sets with a committee know better what matters: :meth:`Committee.outside`.
"""

from __future__ import annotations

import numpy as np

from mlsemi.layers import Weights
from mlsemi.pairs import PairList

MARGIN = 1.25
"""An atom is outside when its distance exceeds the largest of the training set by this factor."""


def feature_distance(species: np.ndarray, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom,) root mean square of the invariants in units of their spread in training.

    d_i = sqrt(mean_k ((x_ik - c_k) / s_k)^2) with center c and spread s of the species of atom i;
    the expectation value over the training set is one.

    Parameters
    ----------
    species : (n_atom,) int array
    invariants : (n_atom, n_invariant) array
        Invariants of the node features.
    weights : mapping
        ``domain.center``, ``domain.spread`` (n_species, n_invariant).
    """
    return np.sqrt(np.mean(standardised(species, invariants, weights) ** 2, axis=1))


def standardised(species: np.ndarray, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom, n_invariant) invariants minus their mean, over their spread in training."""
    return (invariants - weights["domain.center"][species]) / weights["domain.spread"][species]


def fit_domain(
    species: np.ndarray, invariants: np.ndarray, n_species: int
) -> dict[str, np.ndarray]:
    """Center, spread and limit of the training set, as weights of the model.

    Species without atoms keep an infinite spread: nothing is known about them, and parameter
    sets refuse their elements anyway.

    Parameters
    ----------
    species : (n_atom,) int array
        Of every atom of the training set.
    invariants : (n_atom, n_invariant) array
    n_species : int
    """
    center = np.zeros((n_species, invariants.shape[1]))
    spread = np.full_like(center, np.inf)
    present = np.unique(species)
    for row in present:
        center[row] = invariants[species == row].mean(axis=0)
        spread[row] = invariants[species == row].std(axis=0) + 1e-6
    fitted = {"domain.center": center, "domain.spread": spread}
    limit = np.zeros(n_species)
    distance = feature_distance(species, invariants, fitted)
    for row in present:
        limit[row] = MARGIN * distance[species == row].max()
    return fitted | {"domain.limit": limit}


def outside(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """Atoms of a one-structure pair list (in its order) that lie outside the training domain."""
    distance = feature_distance(pairs.species, invariants, weights)
    beyond = distance > weights["domain.limit"][pairs.species]
    return np.flatnonzero(beyond[pairs.atom])
