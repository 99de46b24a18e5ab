"""Training domain: how far the features of an atom are from everything the model was trained on.

Parameter sets with a committee also know how far in a metric of what matters to the levels
(:meth:`Committee.outside`). Neither sees that an atom without neighbours is strange, since its
features are small: bonds are looked at themselves.
"""

from __future__ import annotations

import numpy as np

from mlsemi.layers import Weights
from mlsemi.pairs import PairList
from mlsemi.structure import Structure

NEAREST = (0.70, 1.35)
"""Distance of an atom from its nearest neighbour, in sums of their covalent radii, that molecules
at up to 1000 K keep (0.73 to 1.31 in all reference data)."""

INSIDE = 0.999
"""Share of the training atoms of a species that lie inside its domain.

How much larger errors are outside: ``validation/uncertainty.md``.
"""

TOGETHER = 9.0
"""Atoms that are inside one by one can be too strange together (carbon cages): the sum of d_i^2 - 1
over the square root of their number, which one in a thousand training structures exceeds."""


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
        limit[row] = np.quantile(distance[species == row], INSIDE, method="higher")
    return fitted | {"domain.limit": limit}


def relative_distance(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom,) feature distances of the species-sorted atoms, 1 where the training domain ends."""
    distance = feature_distance(pairs.species, invariants, weights)
    return _over_limit(distance, weights["domain.limit"][pairs.species])


def _over_limit(distance: np.ndarray, limit: np.ndarray) -> np.ndarray:
    return np.divide(distance, limit, out=np.zeros_like(distance), where=limit > 0.0)


def outside(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """Atoms of a one-structure pair list (in its order) that lie outside the training domain.

    Where all atoms together do (:data:`TOGETHER`), those farther from its center than the average.
    """
    distance = feature_distance(pairs.species, invariants, weights)
    strange = _over_limit(distance, weights["domain.limit"][pairs.species]) > 1.0
    if np.sum(distance**2 - 1.0) > TOGETHER * np.sqrt(pairs.n_atom):
        strange |= distance > 1.0
    return np.flatnonzero(strange[pairs.atom])


def without_usual_bond(structure: Structure) -> np.ndarray:
    """Atoms whose nearest neighbour is farther or nearer than any bond of a warm molecule."""
    ratio, _ = structure.nearest
    return np.flatnonzero((ratio < NEAREST[0]) | (ratio > NEAREST[1]))


def outside_text(structure: Structure, atoms: np.ndarray) -> tuple[str, ...]:
    """One warning that names atoms outside the training domain; none for no atoms."""
    if not atoms.size:
        return ()
    named = ", ".join(f"{a} ({structure.symbols[a]})" for a in atoms[:5].tolist())
    more = f" and {atoms.size - 5} more" if atoms.size > 5 else ""
    return (f"outside the training domain: surroundings of atoms {named}{more}",)
