"""Features: everything the model knows of a geometry before it predicts anything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.model.density import AtomRecord, atom_features, atom_features_adjoint
from mlsemi.model.layers import Gradients, Weights
from mlsemi.model.messages import (
    MessageRecord,
    message_features,
    message_features_adjoint,
)
from mlsemi.model.pairs import PairList
from mlsemi.symmetry.radial import RadialBasis


class Features(NamedTuple):
    """Symmetry-adapted features of the atoms in a pair list (rows sorted by species).

    Attributes
    ----------
    basis : (n_pair, n_radial) array
        Radial functions of every pair.
    envelope : (n_pair,) array
        Cutoff function of every pair.
    nodes : (n_atom, 9, n_node) array
        Equivariant node features, l = 0, 1, 2.
    atoms, messages
        Intermediates of the two steps that made the nodes, for the reverse walk.
    """

    basis: np.ndarray
    envelope: np.ndarray
    nodes: np.ndarray
    atoms: AtomRecord
    messages: MessageRecord

    @property
    def invariants(self) -> np.ndarray:
        """(n_atom, n_invariant) invariants of each atom, its message and their products."""
        return self.messages.invariants


def features_of(pairs: PairList, radial: RadialBasis, weights: Weights) -> Features:
    """Radial functions, rho_i^1 and rho_i^2 (theory eqs 2, 3), one message-passing step."""
    basis, envelope = radial(pairs.distance)
    atoms, atom_record = atom_features(pairs, basis, weights)
    nodes, message_record = message_features(pairs, basis, atoms, weights)
    return Features(basis, envelope, nodes, atom_record, message_record)


def features_adjoint(
    pairs: PairList,
    features: Features,
    weights: Weights,
    nodes_bar: np.ndarray,
    invariants_bar: np.ndarray,
    gradients: Gradients,
    geometry: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    """Adjoint of :func:`features_of` from the cotangents of nodes and invariants.

    Adds to ``gradients`` and, when given, to ``geometry`` = (basis_bar, sphere_bar).
    """
    atoms_bar = message_features_adjoint(
        pairs,
        features.basis,
        weights,
        features.messages,
        nodes_bar,
        invariants_bar,
        gradients,
        geometry,
    )
    atom_features_adjoint(
        pairs, features.basis, weights, features.atoms, atoms_bar, gradients, geometry
    )
