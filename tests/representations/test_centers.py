"""Three centers and messages: symmetry, derivatives, and what they are made of."""

import numpy as np
import pytest
from harness import assert_equivariant
from molecules import distorted
from representation_walks import (
    BONDS,
    EXPANSION,
    STRUCTURES,
    assert_position_derivative,
    by_order,
    fitted_atoms,
    placed,
)

from mlsemi.representations.centers import PairFeatures
from mlsemi.representations.correlations import irreps_up_to
from mlsemi.representations.message_correlations import MessageFeatures
from mlsemi.representations.neighbours import Points
from mlsemi.representations.triples import TripleFeatures, Triples, symmetrised_triples

SMALL = distorted("HCOOH", seed=5)


@pytest.fixture(scope="module")
def atoms():
    return fitted_atoms(nu=2)


@pytest.fixture(scope="module", params=[0, 2])
def triples(request, atoms):
    decoration = atoms if request.param else None
    return TripleFeatures.fit([SMALL], BONDS, decoration, irreps_up_to(1), 6, 6, n_product=40)


@pytest.fixture(scope="module")
def messages(atoms):
    return MessageFeatures.fit(STRUCTURES[1:], BONDS, atoms, 1, 2, 2, 2, 6, n_product=300)


def test_triple_features_are_equivariant(triples):
    def observe(structure):
        neighbours, found, tensors = triples([structure])
        return by_order([tensors], placed(found.centers(neighbours), structure.n_atom))

    assert_equivariant(observe, SMALL)


def test_message_features_are_equivariant(messages):
    assert_equivariant(lambda s: by_order(messages([s])), STRUCTURES[1])


def test_position_derivatives(triples, messages):
    class OneOrder:
        def __call__(self, structures):
            return [triples(structures).tensors]

        def adjoint(self, structures, orders_bar):
            return triples.adjoint(structures, orders_bar[0])

    assert_position_derivative(OneOrder(), SMALL)
    assert_position_derivative(messages, SMALL)


def test_triples_are_all_pairs_of_neighbours():
    neighbours = BONDS.neighbours(STRUCTURES)
    seen = {(i, j) for i, j in zip(neighbours.first, neighbours.second, strict=True)}
    atoms = {a for pair in seen for a in pair}
    expected = sorted((i, j, k) for i, j in seen for k in atoms if (i, k) in seen and j != k)
    found = Triples.of(neighbours)
    assert [tuple(t) for t in found.centers(neighbours).tolist()] == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_exchange_of_three_centers(triples, sign):
    """Chain of four: some orders of some triples lie outside the cutoff and count as zero."""
    x = np.array([[0.0, 0.0, 0.0], [2.5, 0.3, 0.1], [4.0, 2.5, -0.2], [6.8, 2.6, 1.0]])
    neighbours, found, tensors = triples([Points(np.array([6, 8, 7, 1]), x)])
    orbit = found.orbit(neighbours)
    assert (orbit < 0).any()
    assert (orbit[:, 0] == np.arange(orbit.shape[0])).all()
    full = orbit[(orbit >= 0).all(axis=1)]
    for value in symmetrised_triples(tensors, orbit, sign).values():
        for column, parity in zip(full.T, (1, -1, -1, 1, 1, -1), strict=True):
            expected = value[full[:, 0]] * (parity if sign < 0 else 1)
            np.testing.assert_allclose(value[column], expected, atol=1e-12)


def test_a_message_is_a_contracted_pair_correlation(atoms):
    """rho_i^(1 <- 1) = rho_i x sum_j f_ji with f_ji the pair feature of (j, i), bond turned."""
    layer = MessageFeatures.fit(STRUCTURES, BONDS, atoms, 1, 1, 1, 2, 6)
    neighbours = BONDS.neighbours(STRUCTURES)
    bond, rho = BONDS(neighbours), atoms(STRUCTURES)[0]
    received = layer.layers[0].received(neighbours, bond, rho)
    sent = {i: v[neighbours.second] for i, v in rho.items()}
    pairs = PairFeatures(BONDS, atoms, (layer.layers[0].message,))
    each = pairs.steps[0](bond, sent)
    for irrep, value in received.items():
        for atom in range(neighbours.n_atom):
            expected = each[irrep][neighbours.first == atom].sum(axis=0)
            np.testing.assert_allclose(value[atom], expected, atol=1e-12)
    result = layer.layers[0].update(rho, received)
    for irrep, value in layer(STRUCTURES)[0].items():
        np.testing.assert_allclose(value, result[irrep], atol=1e-12)


def test_each_layer_sees_farther():
    """A change beyond the cutoff of an atom arrives through one neighbour, then through two."""
    x = np.array([[0.0, 0.0, 0.0], [4.0, 0.5, 0.0], [8.0, 0.0, 0.4], [12.0, 0.2, 0.0]])
    z = np.array([6, 6, 6, 8])
    chain = Points(z, x)
    atoms = type(fitted_atoms(1)).fit([chain], EXPANSION, 1, 2, 8)
    features = MessageFeatures.fit([chain], BONDS, atoms, 1, 1, 2, 2, 8)
    for moved, first in ((2, 0), (3, 1)):
        there = x.copy()
        there[moved] += (0.3, -0.2, 0.1)
        changes = [
            max(np.abs(after[i][0] - before[i][0]).max() for i in before)
            for before, after in zip(features([chain]), features([Points(z, there)]), strict=True)
        ]
        assert [change > 1e-8 for change in changes] == [layer >= first for layer in range(2)]


def test_lone_atoms(atoms, triples, messages):
    """No pairs, no triples: empty or zero features, and no force."""
    lone = [Points(np.array([8]), np.zeros((1, 3)))]
    pairs = PairFeatures.fit(STRUCTURES, BONDS, atoms, 1, 1, 4)
    assert all(v.shape[0] == 0 for order in pairs(lone).orders for v in order.values())
    tensors = triples(lone).tensors
    assert all(value.shape[0] == 0 for value in tensors.values())
    assert not any(value.any() for layer in messages(lone) for value in layer.values())
    bars = [{i: np.ones_like(v) for i, v in layer.items()} for layer in messages(lone)]
    assert not messages.adjoint(lone, bars).any()
    assert not pairs.adjoint(lone, pairs(lone).orders).any()
    assert not triples.adjoint(lone, tensors).any()
