"""The model: geometry -> features -> irreps of the Hamiltonian, and the reverse.

H_o = levels + two-center functions                  (physics baseline)
    + on-site irreps of the node features            (environment)
    - potential of the predicted charges             (long range)
    + pair irreps from eq 4                          (environment of the bond)

The features and the pair irreps are learned, or fixed with linear coefficients: the kind of the
:class:`~mlsemi.model.forms.ModelForm` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mlsemi.brief import Brief
from mlsemi.model import bonds as learned_bonds
from mlsemi.model import features as learned
from mlsemi.model import fixed
from mlsemi.model.blocks import BlockedOperator
from mlsemi.model.energy import atom_energies, atom_energies_adjoint
from mlsemi.model.features import Features
from mlsemi.model.fixed import FixedFeatures
from mlsemi.model.forms import ModelForm
from mlsemi.model.heads import (
    atom_dipoles,
    atom_dipoles_adjoint,
    onsite,
    onsite_adjoint,
    two_center,
    two_center_adjoint,
)
from mlsemi.model.layers import Gradients, Weights
from mlsemi.model.long_range import (
    PotentialRecord,
    conserved_charges_adjoint,
    potential,
    potential_adjoint,
)
from mlsemi.model.pairs import PairList
from mlsemi.model.repulsion import RepulsionRecord, repulsion, repulsion_adjoint
from mlsemi.symmetry.radial import RadialBasis


class Representation(NamedTuple):
    """The part of a model that differs between kinds: features, pair irreps, their adjoints."""

    features: Callable[..., Any]
    features_adjoint: Callable[..., None]
    bonds: Callable[..., tuple[np.ndarray, Any]]
    bonds_adjoint: Callable[..., np.ndarray]


LEARNED = Representation(
    learned.features_of,
    learned.features_adjoint,
    learned_bonds.bond_irreps,
    learned_bonds.bond_irreps_adjoint,
)
FIXED = Representation(
    fixed.features_of, fixed.features_adjoint, fixed.bond_irreps, fixed.bond_irreps_adjoint
)


AnyFeatures = Features | FixedFeatures


class ModelRecord(NamedTuple):
    """Features, and the intermediates of :meth:`Model.predict` that its adjoint needs."""

    features: AnyFeatures
    potential: PotentialRecord | None
    bonds: Any
    energy: tuple[np.ndarray, np.ndarray] | None
    repulsion: RepulsionRecord


class Prediction(NamedTuple):
    """What the model says of every structure in a pair list.

    Attributes
    ----------
    hamiltonian : BlockedOperator
        Irreps of H_o, hartree.
    atom_energies : (n_atom,) array
        Energy per (species-sorted) atom without band energy, hartree.
    atom_dipoles : (n_atom, 3) array
        Dipole readout per (species-sorted) atom, components y, z, x, e bohr.
    """

    hamiltonian: BlockedOperator
    atom_energies: np.ndarray
    atom_dipoles: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Model(Brief):
    """Learned Hamiltonian: a form and its weights.

    Attributes
    ----------
    form : ModelForm
    weights : mapping of name to array
        Shapes as in :meth:`ModelForm.shapes`.
    """

    form: ModelForm
    weights: Weights

    @cached_property
    def radial(self) -> RadialBasis:
        """Radial functions of this model."""
        return RadialBasis(self.form.n_radial, self.form.cutoff)

    @property
    def representation(self) -> Representation:
        """Features and pair irreps of this kind of model."""
        return LEARNED if self.form.learned else FIXED

    def baseline_only(self) -> Model:
        """The same model with every learned correction switched off: levels and two-center part."""
        corrections = ("onsite", "charge", "bond.out")
        off = {n: np.zeros_like(self.weights[n]) for n in corrections if n in self.weights}
        return replace(self, weights=dict(self.weights) | off)

    def predict(self, pairs: PairList) -> tuple[Prediction, ModelRecord]:
        """Irreps of the Hamiltonian and atomic energies, with the record for the adjoint."""
        w, part = self.weights, self.representation
        features = part.features(pairs, self.radial, w)
        basis, nodes = features.basis, features.nodes
        field, field_record = None, None
        if self.form.long_range:
            field, field_record = potential(pairs, nodes[:, 0], w)
        bonds, bond_record = part.bonds(pairs, basis, features.envelope, nodes, w)
        energies, energy_record = atom_energies(pairs, basis, features.invariants, w)
        wall, wall_record = repulsion(pairs, self.form.elements)
        operator = BlockedOperator(
            pairs,
            onsite(pairs, nodes, field, w),
            bonds + two_center(pairs, basis, w["two_center"]),
        )
        record = ModelRecord(features, field_record, bond_record, energy_record, wall_record)
        return Prediction(operator, energies + wall, atom_dipoles(pairs, nodes, w)), record

    def predict_energies(self, pairs: PairList) -> tuple[np.ndarray, ModelRecord]:
        """The atomic energies of :meth:`predict` alone, without the Hamiltonian."""
        features = self.representation.features(pairs, self.radial, self.weights)
        energies, record = atom_energies(pairs, features.basis, features.invariants, self.weights)
        wall, wall_record = repulsion(pairs, self.form.elements)
        return energies + wall, ModelRecord(features, None, None, record, wall_record)

    def energy_slope(self, pairs: PairList, record: ModelRecord) -> np.ndarray:
        """(n_atom, 3) derivatives of the sum of all atomic energies by the positions.

        ``record`` is that of :meth:`predict_energies`.
        """
        bars = np.ones(pairs.n_atom), np.zeros((pairs.n_atom, 3))
        _, slope = self.adjoint(pairs, record, None, *bars, with_positions=True, with_weights=False)
        assert slope is not None
        return slope

    def adjoint(
        self,
        pairs: PairList,
        record: ModelRecord,
        irreps_bar: tuple[np.ndarray, np.ndarray] | None,
        atom_energies_bar: np.ndarray,
        atom_dipoles_bar: np.ndarray,
        with_positions: bool = False,
        with_weights: bool = True,
        charges_bar: np.ndarray | None = None,
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Adjoint of :meth:`predict`.

        Parameters
        ----------
        pairs : PairList
        record : ModelRecord
        irreps_bar : (atoms_bar, bonds_bar) or None
            dL/d irreps, shapes as in :class:`BlockedOperator`; None when the loss does not
            depend on the Hamiltonian, which spares the walk through the pairs.
        atom_energies_bar : (n_atom,) array
        atom_dipoles_bar : (n_atom, 3) array
        with_positions : bool
            Walk on to the positions as well.
        with_weights : bool
            Collect the gradients of the weights.
        charges_bar : (n_atom,) array, optional
            dL/d the charges of the potential
            (:func:`~mlsemi.model.long_range.conserved_charges`), for a loss that reads
            them itself.

        Returns
        -------
        Gradients of all weights, zero for those that are never trained (an empty mapping without
        ``with_weights``), and dL/d positions (n_atom, 3) or None.
        """
        w, features = self.weights, record.features
        gradients = {n: np.zeros_like(value) for n, value in w.items()} if with_weights else None
        basis_bar = np.zeros_like(features.basis)
        sphere_bar = np.zeros_like(pairs.sphere)
        envelope_bar = np.zeros_like(features.envelope)
        positions_bar = np.zeros((pairs.n_atom, 3)) if with_positions else None
        geometry = (basis_bar, sphere_bar) if with_positions else None

        if irreps_bar is None:
            nodes_bar = np.zeros_like(features.nodes)
        else:
            bond_geometry = (basis_bar, sphere_bar, envelope_bar) if with_positions else None
            nodes_bar = self._hamiltonian_adjoint(
                pairs, record, *irreps_bar, gradients, bond_geometry, positions_bar
            )
        atom_dipoles_adjoint(pairs, features.nodes, w, atom_dipoles_bar, nodes_bar, gradients)
        if charges_bar is not None:
            scalars = features.nodes[:, 0]
            nodes_bar[:, 0] += conserved_charges_adjoint(pairs, scalars, w, charges_bar, gradients)
        invariants_bar = atom_energies_adjoint(
            pairs,
            features.basis,
            features.invariants,
            w,
            record.energy,
            atom_energies_bar,
            gradients,
            basis_bar if with_positions else None,
        )
        self.representation.features_adjoint(
            pairs, features, w, nodes_bar, invariants_bar, gradients, geometry
        )
        if positions_bar is not None:
            distance_bar = self.radial.adjoint(pairs.distance, basis_bar, envelope_bar)
            repulsion_adjoint(pairs, record.repulsion, atom_energies_bar, distance_bar)
            positions_bar += pairs.adjoint(distance_bar, sphere_bar)
        return gradients or {}, positions_bar

    def _hamiltonian_adjoint(
        self,
        pairs: PairList,
        record: ModelRecord,
        atoms_bar: np.ndarray,
        bonds_bar: np.ndarray,
        gradients: Gradients,
        geometry: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
        positions_bar: np.ndarray | None,
    ) -> np.ndarray:
        """Adjoint of the irreps of H_o: nodes_bar; adds to all the other cotangents."""
        w, features = self.weights, record.features
        two_center_adjoint(pairs, features.basis, w["two_center"], bonds_bar, gradients, geometry)
        nodes_bar = self.representation.bonds_adjoint(
            pairs,
            features.envelope,
            features.nodes,
            w,
            record.bonds,
            bonds_bar,
            gradients,
            geometry,
        )
        field_bar = onsite_adjoint(pairs, features.nodes, w, atoms_bar, nodes_bar, gradients)
        if record.potential is not None:
            nodes_bar[:, 0] += potential_adjoint(
                pairs,
                features.nodes[:, 0],
                w,
                record.potential,
                field_bar,
                gradients,
                positions_bar,
            )
        return nodes_bar
