"""Prediction: what the terms say of the atoms and pairs of a list, and its cotangents."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from mlsemi.brief import Brief
from mlsemi.model.terms.neutrality import Parts
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.blocks import N_ATOM_IRREP, N_PAIR_IRREP, BlockedOperator

NOT_YET = np.empty(0)
"""Of what no term has set, or nobody has asked for."""


@dataclass(eq=False, repr=False)
class Prediction(Brief):
    """What a model says of every structure in a pair list; rows of atoms are sorted by species.

    The terms fill it one after another: features first, then what is read off them.

    Attributes
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
        Radial functions of every pair.
    envelope : (n_pair,) array
        Cutoff function of every pair.
    hamiltonian : BlockedOperator
        Irreps of H_o, hartree.
    atom_energies : (n_atom,) array
        Energy per atom without band energy, hartree.
    atom_dipoles : (n_atom, 3) array
        Dipole readout per atom, components y, z, x, e bohr.
    sp_lengths : (n_atom,) array
        s-p transition dipole of each atom, e bohr.
    density : (n_atom, 9, n_channel) array
        Features of the atoms before they have seen those of their neighbours.
    nodes : (n_atom, 9, n_node) array
        Equivariant features of the atoms, l = 0, 1, 2.
    invariants : (n_atom, n_invariant) array
        Invariants of each atom and their products.
    charges : (n_atom,) array
        Of the neutral molecule, e; empty in a form without long range.
    strength, connection : (n_pair,) arrays
        b and u of every pair; empty in a form that does not ask for them.
    parts : Parts or None
        Which atoms belong together by paths of any length, in such a form.
    bonded : Prediction or None
        What is predicted of every atom from the pairs that are connected.
    multipoles : (n_atom, 10) array
        Charge, dipole (x, y, z) and quadrupole (xx, xy, xz, yy, yz, zz) of every atom of a neutral
        molecule, e, e bohr, e bohr^2.
    extra : dict of arrays
        By name: what terms beside those above read off the features.
    """

    pairs: PairList
    basis: np.ndarray
    envelope: np.ndarray
    hamiltonian: BlockedOperator
    atom_energies: np.ndarray
    atom_dipoles: np.ndarray
    sp_lengths: np.ndarray
    density: np.ndarray = field(default_factory=lambda: NOT_YET)
    nodes: np.ndarray = field(default_factory=lambda: NOT_YET)
    invariants: np.ndarray = field(default_factory=lambda: NOT_YET)
    charges: np.ndarray = field(default_factory=lambda: NOT_YET)
    strength: np.ndarray = field(default_factory=lambda: NOT_YET)
    connection: np.ndarray = field(default_factory=lambda: NOT_YET)
    parts: Parts | None = None
    bonded: Prediction | None = None
    multipoles: np.ndarray = field(default_factory=lambda: NOT_YET)
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def blank(cls, pairs: PairList, basis: np.ndarray, envelope: np.ndarray) -> Prediction:
        """Nothing said yet.

        Parameters
        ----------
        pairs : PairList
        basis : (n_pair, n_radial) array
        envelope : (n_pair,) array
        """
        n = pairs.n_atom
        irreps = np.zeros((n, N_ATOM_IRREP)), np.zeros((pairs.first.size, N_PAIR_IRREP))
        operator = BlockedOperator(pairs, *irreps)
        return cls(pairs, basis, envelope, operator, np.zeros(n), np.zeros((n, 3)), np.zeros(n))


class GeometryBar(NamedTuple):
    """Cotangents of a geometry, in every form that terms read it in.

    Attributes
    ----------
    positions : (n_atom, 3) array
        Rows in the order of the concatenated structures.
    distance : (n_pair,) array
    sphere : (n_pair, 9) array
    basis : (n_pair, n_radial) array
    envelope : (n_pair,) array
    strain : (3, 3) array
        Of r -> (1 + strain) r for atoms and cells, as far as it does not act on the pairs.
    """

    positions: np.ndarray
    distance: np.ndarray
    sphere: np.ndarray
    basis: np.ndarray
    envelope: np.ndarray
    strain: np.ndarray

    @classmethod
    def zero(cls, pairs: PairList, basis: np.ndarray) -> GeometryBar:
        """Of a pair list and its radial functions."""
        n = pairs.first.size
        return cls(
            np.zeros((pairs.n_atom, 3)),
            np.zeros(n),
            np.zeros_like(pairs.sphere),
            np.zeros_like(basis),
            np.zeros(n),
            np.zeros((3, 3)),
        )


@dataclass(eq=False, repr=False)
class PredictionBar(Brief):
    """dL/d of a :class:`Prediction`; None means zero, and spares the walk.

    Attributes
    ----------
    hamiltonian : BlockedOperator or None
    atom_energies, atom_dipoles, sp_lengths, charges, multipoles : array or None
    extra : dict of arrays
        As in the prediction.
    density, nodes, invariants, strength, connection : array
        Of the features; made on the walk.
    bonded : PredictionBar or None
        Made on the walk where there is such a prediction.
    geometry : GeometryBar or None
        Made on the walk where positions are asked for.
    served : frozenset of str
        The walk goes through terms that serve one of these; a term on the way may add to it.
    """

    hamiltonian: BlockedOperator | None = None
    atom_energies: np.ndarray | None = None
    atom_dipoles: np.ndarray | None = None
    sp_lengths: np.ndarray | None = None
    charges: np.ndarray | None = None
    multipoles: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    density: np.ndarray = field(default_factory=lambda: NOT_YET)
    nodes: np.ndarray = field(default_factory=lambda: NOT_YET)
    invariants: np.ndarray = field(default_factory=lambda: NOT_YET)
    strength: np.ndarray = field(default_factory=lambda: NOT_YET)
    connection: np.ndarray = field(default_factory=lambda: NOT_YET)
    bonded: PredictionBar | None = None
    geometry: GeometryBar | None = None
    served: frozenset[str] = frozenset()

    @property
    def asked(self) -> frozenset[str]:
        """What has a cotangent."""
        outputs = (
            *("hamiltonian", "atom_energies", "atom_dipoles", "sp_lengths", "charges"),
            "multipoles",
        )
        return frozenset(name for name in outputs if getattr(self, name) is not None) | set(
            self.extra
        )

    def opened(self, prediction: Prediction, with_positions: bool) -> PredictionBar:
        """Ready for the walk: with zeros that terms add to.

        Parameters
        ----------
        prediction : Prediction
        with_positions : bool
        """
        pairs, basis = prediction.pairs, prediction.basis
        return replace(
            self,
            charges=np.zeros(pairs.n_atom) if self.charges is None else self.charges.copy(),
            multipoles=(
                np.zeros_like(prediction.multipoles)
                if self.multipoles is None
                else self.multipoles.copy()
            ),
            strength=np.zeros_like(prediction.strength),
            connection=np.zeros_like(prediction.connection),
            bonded=(
                None
                if prediction.bonded is None
                else PredictionBar().opened(prediction.bonded, with_positions)
            ),
            density=np.zeros_like(prediction.density),
            nodes=np.zeros_like(prediction.nodes),
            invariants=np.zeros_like(prediction.invariants),
            geometry=GeometryBar.zero(pairs, basis) if with_positions else None,
        )
