"""What the tests of features share: observables by irrep, and the walk back to positions."""

import numpy as np
from harness import assert_adjoint
from molecules import distorted, moved

from mlsemi.representations.centers import Bonds
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.radial_tables import point_functions
from mlsemi.symmetry.radial import RadialBasis

ELEMENTS = (1, 6, 7, 8)
KIND = {1: "tensor", -1: "pseudotensor"}
STRUCTURES = [distorted("HCOOH"), distorted("CH3NO2", seed=3)]
BASIS = RadialBasis(4, 6.0)
EXPANSION = Expansion(ELEMENTS, point_functions(BASIS, 4))
BONDS = Bonds(ELEMENTS, point_functions(BASIS, 3), by_species=True)


def fitted_atoms(nu):
    return AtomFeatures.fit(STRUCTURES, EXPANSION.optimal(STRUCTURES, 3), nu, 3, 8, n_product=60)


def by_order(orders, place=lambda value: value):
    """Observables of ``assert_equivariant``; the parity sigma says how each irrep inverts."""
    return {
        f"order {n}, {irrep}": (KIND[irrep.sigma], place(value))
        for n, order in enumerate(orders)
        for irrep, value in order.items()
    }


def placed(centers, n_atom):
    """Map from samples of several centers to arrays (n_atom, .., n_atom, 2l+1, n_feature)."""

    def place(value):
        out = np.zeros((*[n_atom] * centers.shape[1], *value.shape[1:]))
        out[tuple(centers.T)] = value
        return out

    return place


def assert_position_derivative(features, structure, orders_of=lambda result: result):
    """Adjoint of a whole walk from the positions of one structure to all of its features."""

    def forward(x):
        orders = orders_of(features([moved(structure, x)]))
        return tuple(value for order in orders for value in order.values())

    def adjoint(*bars):
        orders = orders_of(features([structure]))
        bars = iter(bars)
        orders_bar = [{i: next(bars) for i in order} for order in orders]
        return features.adjoint([structure], orders_bar)

    assert_adjoint(forward, adjoint, [structure.positions], rtol=1e-8)
