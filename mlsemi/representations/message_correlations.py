"""Messages as multi-center correlations: rho_i^(nu <- nu') and deeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlsemi.representations.centers import Bonds
from mlsemi.representations.correlations import AtomFeatures, irreps_up_to
from mlsemi.representations.neighbours import Geometry, Neighbours
from mlsemi.symmetry.products import N_PRODUCT, Product
from mlsemi.symmetry.tensors import SCALAR, Irrep, Tensors, added, gathered, taken


@dataclass(frozen=True, eq=False)
class Layer:
    """One round of messages: M_i = sum_j bond_ij x node_j, then rho_i x M_i.

    Attributes
    ----------
    message : Product
        Of the bond with the node of the neighbour.
    update : Product
        Of rho_i with the sum of its messages.
    """

    message: Product
    update: Product

    def received(
        self, neighbours: Neighbours, bond: Tensors, nodes: Tensors
    ) -> dict[Irrep, np.ndarray]:
        """M_i of every atom."""
        messages = self.message(bond, taken(nodes, neighbours.second))
        return gathered(messages, neighbours.first, neighbours.n_atom)

    def adjoint(
        self,
        neighbours: Neighbours,
        bond: Tensors,
        own: Tensors,
        nodes: Tensors,
        out_bar: Tensors,
    ) -> tuple[dict[Irrep, np.ndarray], dict[Irrep, np.ndarray], dict[Irrep, np.ndarray]]:
        """Cotangents of the bonds, of rho_i, and of the nodes."""
        received = self.received(neighbours, bond, nodes)
        own_bar, received_bar = self.update.adjoint(own, received, out_bar)
        bond_bar, sent_bar = self.message.adjoint(
            bond, taken(nodes, neighbours.second), taken(received_bar, neighbours.first)
        )
        return bond_bar, own_bar, gathered(sent_bar, neighbours.second, neighbours.n_atom)


@dataclass(frozen=True, eq=False)
class MessageFeatures:
    """Structures -> rho_i^(nu <- nu'), rho_i^(nu <- (nu <- nu')), .. of every atom, and back.

    |rho_i^(nu <- nu')> = |rho_i^nu> x sum_j |r_ij> x |rho_j^nu'>, the contraction over j of a
    two-center correlation (Nigam, Pozdnyakov, Fraux, Ceriotti, J. Chem. Phys. 156, 204115 (2022));
    each further layer puts the result of the last in the place of rho_j^nu'.

    Attributes
    ----------
    bonds : Bonds
        With species labels, so that a message knows its sender.
    atoms : AtomFeatures
    nu, sent : int
        Orders nu of the receiver and nu' of the first senders.
    layers : tuple of Layer
    """

    bonds: Bonds
    atoms: AtomFeatures
    nu: int
    sent: int
    layers: tuple[Layer, ...]

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        bonds: Bonds,
        atoms: AtomFeatures,
        nu: int,
        sent: int,
        depth: int,
        l_max: int,
        n_keep: int,
        n_product: int | None = N_PRODUCT,
        invariant: bool = False,
    ) -> MessageFeatures:
        """Contractions from a dataset.

        Parameters
        ----------
        structures : sequence of Structure or Points
        bonds : Bonds
        atoms : AtomFeatures
        nu, sent : int
            Orders of the receiver and of the first senders, at most that of ``atoms``.
        depth : int
            Number of layers.
        l_max : int
            Highest degree of messages and results.
        n_keep : int
            Features per irrep, of messages and of results.
        n_product : int or None
            Most products per irrep before each contraction; None takes all.
        invariant : bool
            Compute only proper scalars in the last layer.
        """
        neighbours = bonds.neighbours(structures)
        bond = bonds(neighbours)
        orders = atoms(structures)
        own: Tensors = orders[nu - 1]
        nodes: Tensors = orders[sent - 1]
        irreps = irreps_up_to(l_max)
        layers = []
        for n in range(depth):
            senders = taken(nodes, neighbours.second)
            message = Product.fit(
                bond,
                senders,
                irreps,
                n_keep,
                n_product=n_product,
                labels=neighbours.pair_species,
            )
            received = gathered(message(bond, senders), neighbours.first, neighbours.n_atom)
            wanted = (SCALAR,) if invariant and n == depth - 1 else irreps
            update = Product.fit(
                own, received, wanted, n_keep, n_product=n_product, labels=neighbours.species
            )
            layers.append(Layer(message, update))
            nodes = update(own, received)
        return cls(bonds, atoms, nu, sent, tuple(layers))

    def _walk(
        self, neighbours: Neighbours, bond: Tensors, orders: Sequence[Tensors]
    ) -> list[Tensors]:
        """Nodes before the first layer and after every one."""
        nodes: list[Tensors] = [orders[self.sent - 1]]
        for layer in self.layers:
            received = layer.received(neighbours, bond, nodes[-1])
            nodes.append(layer.update(orders[self.nu - 1], received))
        return nodes

    def __call__(self, structures: Sequence[Geometry]) -> list[Tensors]:
        """Features (n_atom, 2l+1, n_feature) of every layer."""
        neighbours = self.bonds.neighbours(structures)
        return self._walk(neighbours, self.bonds(neighbours), self.atoms(structures))[1:]

    def adjoint(self, structures: Sequence[Geometry], layers_bar: Sequence[Tensors]) -> np.ndarray:
        """dL/d positions (n_atom, 3) from the cotangents of every layer's features."""
        neighbours = self.bonds.neighbours(structures)
        bond = self.bonds(neighbours)
        orders = self.atoms(structures)
        own = orders[self.nu - 1]
        nodes = self._walk(neighbours, bond, orders)
        bars: list[Tensors] = [{}, *layers_bar]
        bond_bar: Tensors = {}
        own_bar: Tensors = {}
        for n in range(len(self.layers), 0, -1):
            parts = self.layers[n - 1].adjoint(neighbours, bond, own, nodes[n - 1], bars[n])
            bond_bar, own_bar = added([bond_bar, parts[0]]), added([own_bar, parts[1]])
            bars[n - 1] = added([bars[n - 1], parts[2]])
        atoms_bar: list[Tensors] = [{} for _ in orders]
        atoms_bar[self.nu - 1] = own_bar
        atoms_bar[self.sent - 1] = added([atoms_bar[self.sent - 1], bars[0]])
        return self.bonds.adjoint(neighbours, bond_bar) + self.atoms.adjoint(structures, atoms_bar)
