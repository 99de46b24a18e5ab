"""The model: geometry -> features -> irreps of the Hamiltonian, and the reverse.

H_o = levels + two-center functions                      (physics baseline)
+ on-site irreps of the node features                (environment)
+ potential of the predicted charges                 (long range)
+ pair irreps from eq 4 with learned channel weights (environment of the bond)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mlsemi.blocks import N_ATOM_IRREP, P_LEVEL, BlockedOperator
from mlsemi.layers import Weights, perceptron, perceptron_adjoint
from mlsemi.pairs import PairList
from mlsemi.radial import RadialBasis
from mlsemi.representation.bonds import (
    IRREPS,
    N_IRREP,
    BondRecord,
    bond_irreps,
    bond_irreps_adjoint,
)
from mlsemi.representation.bonds import PATHS as BOND_PATHS
from mlsemi.representation.density import NU2_PATHS
from mlsemi.representation.features import Features, features_adjoint, features_of
from mlsemi.representation.long_range import PotentialRecord, potential, potential_adjoint
from mlsemi.representation.messages import PATHS as MESSAGE_PATHS
from mlsemi.so3 import L_MAX, components

TWO_CENTER = ("ss", "sp", "pp0", "pp2")


@dataclass(frozen=True)
class ModelForm:
    """Sizes of the model; everything that is not a weight.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, in the order of the species index.
    cutoff : float
        Pair cutoff, bohr.
    n_radial : int
        Radial functions.
    n_channel : int
        Channels of the atom features.
    n_node : int
        Channels of the node features that enter the blocks.
    n_hidden : int
        Width of the perceptrons.
    """

    elements: tuple[int, ...]
    cutoff: float = 11.3
    n_radial: int = 12
    n_channel: int = 16
    n_node: int = 12
    n_hidden: int = 48

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight array."""
        s, r, k, n, h = (
            len(self.elements),
            self.n_radial,
            self.n_channel,
            self.n_node,
            self.n_hidden,
        )
        n_in = [k * (1 + sum(l == out for _, _, out in NU2_PATHS)) for l in range(L_MAX + 1)]
        out: dict[str, tuple[int, ...]] = {
            "level": (s, 2),
            "two_center": (s * s, r, len(TWO_CENTER)),
            "onsite": (s, n, 4),
            "charge": (s, n),
            "energy.atom": (s,),
            "dipole.atom": (s, n),
            "dipole.sp": (s,),
            "domain.center": (s, 8 * k),
            "domain.spread": (s, 8 * k),
            "domain.limit": (s,),
            "atom.bias": (s, k),
            "node.bias": (s, n),
            "message.radial": (r, len(MESSAGE_PATHS) * k),
            "bond.scale": (s * s, len(BOND_PATHS) * 2 * n),
        }
        for l in range(L_MAX + 1):
            out[f"density.{l}"] = (s * r, k)
            out[f"atom.{l}"] = (s, n_in[l], k)
            out[f"node.{l}"] = (s, 2 * k, n)
        for name, size_in, labels, size_out in (
            ("atom.gate", k, s, 3 * k),
            ("node.gate", 8 * k, s, 3 * n),
            ("energy", 8 * k, s, 1),
            ("bond", 6 * n + r, s * s, len(BOND_PATHS) * 2 * n),
        ):
            out[f"{name}.in"] = (size_in, h)
            out[f"{name}.bias"] = (labels, h)
            out[f"{name}.out"] = (h, size_out)
        return out


class ModelRecord(NamedTuple):
    """Features, and the intermediates of :meth:`Model.predict` that its adjoint needs."""

    features: Features
    potential: PotentialRecord
    bonds: BondRecord
    energy: tuple[np.ndarray, np.ndarray]


class Prediction(NamedTuple):
    """What the model says of every structure in a pair list.

    Attributes
    ----------
    hamiltonian : BlockedOperator
        Irreps of H_o, hartree.
    atom_energies : (n_atom,) array
        Energy readout per (species-sorted) atom, hartree.
    atom_dipoles : (n_atom, 3) array
        Dipole readout per (species-sorted) atom, components y, z, x, e bohr.
    """

    hamiltonian: BlockedOperator
    atom_energies: np.ndarray
    atom_dipoles: np.ndarray


@dataclass(frozen=True, eq=False)
class Model:
    """Learned Hamiltonian: a form and its weights.

    Attributes
    ----------
    form : ModelForm
    weights : mapping of name to array
        Shapes as in :meth:`ModelForm.shapes`.
    """

    form: ModelForm
    weights: Weights

    @property
    def radial(self) -> RadialBasis:
        """Radial functions of this model."""
        return RadialBasis(self.form.n_radial, self.form.cutoff)

    def baseline_only(self) -> Model:
        """The same model with every learned correction switched off: levels and two-center part."""
        corrections = ("onsite", "charge", "bond.scale")
        off = {name: np.zeros_like(self.weights[name]) for name in corrections}
        return replace(self, weights=dict(self.weights) | off)

    def predict(self, pairs: PairList) -> tuple[Prediction, ModelRecord]:
        """Irreps of the Hamiltonian and atomic energies, with the record for the adjoint."""
        w = self.weights
        features = features_of(pairs, self.radial, w)
        basis, nodes = features.basis, features.nodes
        field, field_record = potential(pairs, nodes[:, 0], w)
        bonds, bond_record = bond_irreps(pairs, basis, features.envelope, nodes, w)
        energy, energy_record = perceptron(features.invariants, pairs.species, w, "energy")
        operator = BlockedOperator(
            pairs,
            _onsite(pairs, nodes, field, w),
            bonds + _two_center(pairs, basis, w["two_center"]),
        )
        record = ModelRecord(features, field_record, bond_record, energy_record)
        return (
            Prediction(
                operator,
                energy[:, 0] + w["energy.atom"][pairs.species],
                np.einsum("imk,ik->im", nodes[:, components(1)], w["dipole.atom"][pairs.species]),
            ),
            record,
        )

    def adjoint(
        self,
        pairs: PairList,
        record: ModelRecord,
        irreps_bar: tuple[np.ndarray, np.ndarray] | None,
        atom_energies_bar: np.ndarray,
        atom_dipoles_bar: np.ndarray,
        with_positions: bool = False,
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

        Returns
        -------
        Gradients of all weights, and dL/d positions (n_atom, 3) or None.
        """
        w = self.weights
        gradients = {name: np.zeros_like(value) for name, value in w.items()}
        basis_bar = np.zeros_like(record.features.basis)
        sphere_bar = np.zeros_like(pairs.sphere)
        envelope_bar = np.zeros_like(record.features.envelope)
        positions_bar = np.zeros((pairs.n_atom, 3)) if with_positions else None
        geometry = (basis_bar, sphere_bar) if with_positions else None

        if irreps_bar is None:
            nodes_bar = np.zeros_like(record.features.nodes)
        else:
            bond_geometry = (basis_bar, sphere_bar, envelope_bar) if with_positions else None
            nodes_bar = self._hamiltonian_adjoint(
                pairs, record, *irreps_bar, gradients, bond_geometry, positions_bar
            )
        for species, rows in pairs.groups:
            gradients["energy.atom"][species] += atom_energies_bar[rows].sum()
        nodes_bar[:, components(1)] += (
            atom_dipoles_bar[:, :, None] * w["dipole.atom"][pairs.species][:, None]
        )
        per_atom = np.einsum(
            "im,imk->ik", atom_dipoles_bar, record.features.nodes[:, components(1)]
        )
        for species, rows in pairs.groups:
            gradients["dipole.atom"][species] += per_atom[rows].sum(axis=0)
        invariants_bar = perceptron_adjoint(
            record.features.invariants,
            pairs.species,
            w,
            "energy",
            record.energy,
            atom_energies_bar[:, None],
            gradients,
        )
        features_adjoint(pairs, record.features, w, nodes_bar, invariants_bar, gradients, geometry)
        if positions_bar is not None:
            distance_bar = self.radial.adjoint(pairs.distance, basis_bar, envelope_bar)
            positions_bar += pairs.adjoint(distance_bar, sphere_bar)
        return gradients, positions_bar

    def _hamiltonian_adjoint(
        self,
        pairs: PairList,
        record: ModelRecord,
        atoms_bar: np.ndarray,
        bonds_bar: np.ndarray,
        gradients: dict[str, np.ndarray],
        geometry: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
        positions_bar: np.ndarray | None,
    ) -> np.ndarray:
        """Adjoint of the irreps of H_o: nodes_bar; adds to all the other cotangents."""
        w = self.weights
        _two_center_adjoint(
            pairs, record.features.basis, w["two_center"], bonds_bar, gradients, geometry
        )
        nodes_bar = bond_irreps_adjoint(
            pairs,
            record.features.envelope,
            record.features.nodes,
            w,
            record.bonds,
            bonds_bar,
            gradients,
            geometry,
        )
        field_bar = _onsite_adjoint(
            pairs, record.features.nodes, w, atoms_bar, nodes_bar, gradients
        )
        nodes_bar[:, 0] += potential_adjoint(
            pairs,
            record.features.nodes[:, 0],
            w,
            record.potential,
            field_bar,
            gradients,
            positions_bar,
        )
        return nodes_bar


def _onsite(pairs: PairList, nodes: np.ndarray, field: np.ndarray, w: Weights) -> np.ndarray:
    """On-site irreps (n_atom, 10): levels, node features, potential felt by an electron."""
    head = w["onsite"][pairs.species]
    out = np.zeros((pairs.n_atom, N_ATOM_IRREP))
    out[:, 0] = w["level"][pairs.species, 0] - field
    out[:, 4] = P_LEVEL * (w["level"][pairs.species, 1] - field)
    out[:, 0] += np.einsum("ik,ik->i", nodes[:, 0], head[:, :, 0])
    out[:, 1:4] = np.einsum("imk,ik->im", nodes[:, components(1)], head[:, :, 1])
    out[:, 4] += np.einsum("ik,ik->i", nodes[:, 0], head[:, :, 2])
    out[:, 5:10] = np.einsum("imk,ik->im", nodes[:, components(2)], head[:, :, 3])
    return out


def _onsite_adjoint(
    pairs: PairList,
    nodes: np.ndarray,
    w: Weights,
    out_bar: np.ndarray,
    nodes_bar: np.ndarray,
    gradients: dict[str, np.ndarray],
) -> np.ndarray:
    """Adjoint of :func:`_onsite`: field_bar; adds to ``nodes_bar`` and ``gradients``."""
    head = w["onsite"][pairs.species]
    parts = ((0, slice(0, 1)), (1, slice(1, 4)), (0, slice(4, 5)), (2, slice(5, 10)))
    for column, (l, span) in enumerate(parts):
        bar = out_bar[:, span]
        nodes_bar[:, components(l)] += bar[:, :, None] * head[:, None, :, column]
        per_atom = np.einsum("im,imk->ik", bar, nodes[:, components(l)])
        for species, rows in pairs.groups:
            gradients["onsite"][species, :, column] += per_atom[rows].sum(axis=0)
    for species, rows in pairs.groups:
        gradients["level"][species] += (
            out_bar[rows, 0].sum(),
            P_LEVEL * out_bar[rows, 4].sum(),
        )
    return -(out_bar[:, 0] + P_LEVEL * out_bar[:, 4])


def _two_center(pairs: PairList, basis: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Two-center part: sum_n c_n B_n(r_ij) Y_lambda(r_ij), the pair feature of order nu = 0."""
    values = np.einsum("pn,pnc->pc", basis, coefficients[pairs.pair_species])
    out = np.zeros((pairs.first.size, N_IRREP))
    for column, name in enumerate(TWO_CENTER):
        l, span = IRREPS[name]
        out[:, span] = values[:, column : column + 1] * pairs.sphere[:, components(l)]
    return out


def _two_center_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    coefficients: np.ndarray,
    out_bar: np.ndarray,
    gradients: dict[str, np.ndarray],
    geometry: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> None:
    """Adjoint of :func:`_two_center`; adds to ``gradients`` and ``geometry``."""
    label = pairs.pair_species
    values_bar = np.stack(
        [
            np.einsum("pm,pm->p", out_bar[:, span], pairs.sphere[:, components(l)])
            for l, span in (IRREPS[name] for name in TWO_CENTER)
        ],
        axis=1,
    )
    for row in np.unique(label):
        chosen = label == row
        gradients["two_center"][row] += basis[chosen].T @ values_bar[chosen]
    if geometry is not None:
        chosen_coefficients = coefficients[label]
        geometry[0][:] += np.einsum("pc,pnc->pn", values_bar, chosen_coefficients)
        values = np.einsum("pn,pnc->pc", basis, chosen_coefficients)
        for column, name in enumerate(TWO_CENTER):
            l, span = IRREPS[name]
            geometry[1][:, components(l)] += values[:, column : column + 1] * out_bar[:, span]
