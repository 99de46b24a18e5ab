"""Training domain: how far the features of an atom are from everything the model was trained on.

What else a user should know about a result is said by :mod:`mlsemi.model.applicability`.
"""

from __future__ import annotations

import numpy as np

from mlsemi.model.terms.term import Term, Weight, one
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import Weights

INSIDE = 0.999
"""Share of the training atoms of a species that lie inside its domain.

How much larger errors are outside: ``validation/uncertainty.md``.
"""

TOGETHER = 9.0
"""Atoms that are inside one by one can be too strange together (carbon cages): the sum of d_i^2 - 1
over the square root of their number, which one in a thousand training structures exceeds."""


class Domain(Term):
    """Center, spread and limit of the invariants in training; no prediction depends on them."""

    serves = frozenset()

    def weights(self) -> dict[str, Weight]:
        """``domain.center``, ``domain.spread`` (n_species, n_invariant), ``domain.limit``."""
        n, k = len(self.form.elements), self.form.n_invariant
        return {
            "domain.center": Weight((n, k), trained=False),
            "domain.spread": Weight((n, k), one, trained=False, finite=False),
            "domain.limit": Weight((n,), one, trained=False),
        }


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
    """(n_atom, n_invariant) invariants minus their mean, over their spread in training.

    Parameters
    ----------
    species : (n_atom,) int array
    invariants : (n_atom, n_invariant) array
    weights : mapping
        ``domain.center``, ``domain.spread``.
    """
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
        limit[row] = np.quantile(distance[species == row], INSIDE, method="higher")
    return fitted | {"domain.limit": limit}


def relative_distance(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom,) feature distances of the species-sorted atoms, 1 where the training domain ends.

    Parameters
    ----------
    pairs : PairList
    invariants : (n_atom, n_invariant) array
    weights : mapping
        ``domain.*``.
    """
    distance = feature_distance(pairs.species, invariants, weights)
    return _over_limit(distance, weights["domain.limit"][pairs.species])


def _over_limit(distance: np.ndarray, limit: np.ndarray) -> np.ndarray:
    return np.divide(distance, limit, out=np.zeros_like(distance), where=limit > 0.0)


def outside(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """Atoms of a one-structure pair list (in its order) that lie outside the training domain.

    Where all atoms together do (:data:`TOGETHER`), those farther from its center than the average.

    Parameters
    ----------
    pairs : PairList
        Of one structure.
    invariants : (n_atom, n_invariant) array
    weights : mapping
        ``domain.*``.
    """
    distance = feature_distance(pairs.species, invariants, weights)
    strange = _over_limit(distance, weights["domain.limit"][pairs.species]) > 1.0
    if np.sum(distance**2 - 1.0) > TOGETHER * np.sqrt(pairs.n_atom):
        strange |= distance > 1.0
    return np.flatnonzero(strange[pairs.atom])
