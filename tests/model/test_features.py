"""Features: equivariance, adjoints, and the limits in which they are known by hand."""

from dataclasses import replace

import naive
import numpy as np
import pytest
from harness import assert_adjoint, assert_equivariant
from molecules import SMALL, distorted, random_model
from scipy.spatial.distance import cdist

from mlsemi.model.terms.bonds import IRREPS, N_IRREP, bond_irreps, bond_irreps_adjoint
from mlsemi.model.terms.density import atom_features, atom_features_adjoint
from mlsemi.model.terms.electrostatics import SOFTENING, Charges, Potential
from mlsemi.model.terms.messages import message_features, message_features_adjoint
from mlsemi.model.terms.prediction import GeometryBar, Prediction, PredictionBar
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure

MODEL = random_model(SMALL, seed=5)


def listed(*structures):
    return PairList.of(structures, SMALL.elements, SMALL.cutoff)


@pytest.fixture(scope="module")
def pairs():
    return listed(distorted("CH3CONH2"), distorted("HCOOH", seed=4))


@pytest.fixture(scope="module")
def weights():
    return MODEL.weights


def field_of(pairs, scalars, weights):
    """Potential of the charges, a prediction that holds them, and what its adjoint needs."""
    out = Prediction.blank(pairs, *SMALL.radial(pairs.distance))
    out.nodes = np.zeros((pairs.n_atom, 9, scalars.shape[1]))
    out.nodes[:, 0] = scalars
    Charges(SMALL).forward(weights, out)
    record = Potential(SMALL).forward(weights, out)
    return -out.hamiltonian.atoms[:, 0], out, record


def used_by(function, pairs, basis, *rest):
    """Names of the weights that a feature function reads."""

    seen = set()

    class Watched(dict):
        def __getitem__(self, name):
            seen.add(name)
            return super().__getitem__(name)

    function(pairs, basis, *rest, Watched(MODEL.weights))
    return sorted(seen)


def test_features_are_equivariant():
    structure = distorted("CH3NO2", seed=3)

    def observe(structure):
        pairs = listed(structure)
        rows = pairs.atoms_of(0)
        basis, _ = MODEL.form.radial(pairs.distance)
        atoms, _ = atom_features(pairs, basis, MODEL.weights)
        nodes, record = message_features(pairs, basis, atoms, MODEL.weights)
        field, *_ = field_of(pairs, nodes[:, 0], MODEL.weights)
        return {
            "atoms": ("atom_sphere", atoms[rows]),
            "nodes": ("atom_sphere", nodes[rows]),
            "invariants": ("atom", record.invariants[rows]),
            "field": ("atom", field[rows]),
        }

    assert_equivariant(observe, structure, atol=1e-11)


def test_bond_irreps_of_a_moved_molecule():
    """ss and pp0 of all pairs are invariant; the norms of sp, pp1 and pp2 as well."""
    structure = distorted("CH3NO2", seed=3)

    def observe(structure):
        pairs = listed(structure)
        basis, envelope = MODEL.form.radial(pairs.distance)
        atoms, _ = atom_features(pairs, basis, MODEL.weights)
        nodes, _ = message_features(pairs, basis, atoms, MODEL.weights)
        irreps, _ = bond_irreps(pairs, basis, envelope, nodes, MODEL.weights)
        back = np.empty(pairs.n_atom, dtype=int)
        back[pairs.atom] = np.arange(pairs.n_atom)
        out = {}
        for name, (l, span) in IRREPS.items():
            table = np.zeros((pairs.n_atom, pairs.n_atom))
            part = irreps[:, span]
            value = part[:, 0] if l == 0 else np.linalg.norm(part, axis=1)
            table[back[pairs.first], back[pairs.second]] = value
            out[name] = ("atom_pair", table)
        return out

    assert_equivariant(observe, structure, atol=1e-11)


def test_atom_features_adjoint(pairs, weights):
    basis, _ = MODEL.form.radial(pairs.distance)
    names = used_by(atom_features, pairs, basis)
    assert any(name.startswith("density") for name in names)

    def forward(basis, sphere, *values):
        w = dict(weights) | dict(zip(names, values, strict=True))
        return atom_features(replace(pairs, sphere=sphere), basis, w)[0]

    def adjoint(features_bar):
        _, record = atom_features(pairs, basis, weights)
        gradients = {name: np.zeros_like(weights[name]) for name in names}
        geometry = GeometryBar.zero(pairs, basis)
        atom_features_adjoint(pairs, basis, weights, record, features_bar, gradients, geometry)
        without = {name: np.zeros_like(weights[name]) for name in names}
        atom_features_adjoint(pairs, basis, weights, record, features_bar, without, None)
        for name in names:
            np.testing.assert_array_equal(without[name], gradients[name])
        return geometry.basis, geometry.sphere, *gradients.values()

    assert_adjoint(forward, adjoint, [basis, pairs.sphere, *(weights[name] for name in names)])


def test_message_features_adjoint(pairs, weights):
    basis, _ = MODEL.form.radial(pairs.distance)
    atoms, _ = atom_features(pairs, basis, weights)
    names = used_by(message_features, pairs, basis, atoms)

    def forward(basis, sphere, atoms, *values):
        w = dict(weights) | dict(zip(names, values, strict=True))
        nodes, record = message_features(replace(pairs, sphere=sphere), basis, atoms, w)
        return nodes, record.invariants

    def adjoint(nodes_bar, invariants_bar):
        _, record = message_features(pairs, basis, atoms, weights)
        gradients = {name: np.zeros_like(weights[name]) for name in names}
        geometry = GeometryBar.zero(pairs, basis)
        atoms_bar = message_features_adjoint(
            pairs, basis, weights, record, nodes_bar, invariants_bar, gradients, geometry
        )
        return geometry.basis, geometry.sphere, atoms_bar, *gradients.values()

    arrays = [basis, pairs.sphere, atoms, *(weights[name] for name in names)]
    assert_adjoint(forward, adjoint, arrays)


def test_bond_irreps_adjoint(pairs, weights):
    basis, envelope = MODEL.form.radial(pairs.distance)
    atoms, _ = atom_features(pairs, basis, weights)
    nodes, _ = message_features(pairs, basis, atoms, weights)
    names = used_by(bond_irreps, pairs, basis, envelope, nodes)

    def forward(basis, sphere, envelope, nodes, *values):
        w = dict(weights) | dict(zip(names, values, strict=True))
        return bond_irreps(replace(pairs, sphere=sphere), basis, envelope, nodes, w)[0]

    def adjoint(irreps_bar):
        _, record = bond_irreps(pairs, basis, envelope, nodes, weights)
        gradients = {name: np.zeros_like(weights[name]) for name in names}
        geometry = GeometryBar.zero(pairs, basis)
        nodes_bar = bond_irreps_adjoint(
            pairs, envelope, nodes, weights, record, irreps_bar, gradients, geometry
        )
        bars = geometry.basis, geometry.sphere, geometry.envelope, nodes_bar
        return *bars, *gradients.values()

    arrays = [basis, pairs.sphere, envelope, nodes, *(weights[name] for name in names)]
    assert_adjoint(forward, adjoint, arrays)


def test_potential_adjoint(pairs, weights):
    scalars = np.random.default_rng(0).normal(size=(pairs.n_atom, SMALL.n_node))
    split = pairs.structures[0].n_atom

    def placed(x):
        parts = (x[:split], x[split:])
        return listed(
            *(Structure(s.numbers, p) for s, p in zip(pairs.structures, parts, strict=True))
        )

    def forward(x, scalars, charge):
        return field_of(placed(x), scalars, dict(weights) | {"charge": charge})[0]

    def adjoint(out_bar):
        _, out, record = field_of(pairs, scalars, weights)
        gradients = {"charge": np.zeros_like(weights["charge"])}
        given = Prediction.blank(pairs, out.basis, out.envelope).hamiltonian
        given.atoms[:, 0] = -out_bar
        bar = PredictionBar(hamiltonian=given).opened(out, with_positions=True)
        Potential(SMALL).adjoint(weights, out, record, bar, gradients)
        Charges(SMALL).adjoint(weights, out, None, bar, gradients)
        return bar.geometry.positions, bar.nodes[:, 0], gradients["charge"]

    x = np.concatenate([s.positions for s in pairs.structures])
    assert_adjoint(forward, adjoint, [x, scalars, weights["charge"]])


@pytest.mark.parametrize("charge", [0, -2])
def test_potential_of_conserved_charges(weights, charge):
    """They are those of the neutral molecule: a charge acts through the response alone."""
    plain = distorted("HCOOH", seed=2)
    structure = Structure(plain.numbers, plain.positions, charge)
    pairs = listed(structure)
    scalars = np.random.default_rng(1).normal(size=(pairs.n_atom, SMALL.n_node))
    field, out, _ = field_of(pairs, scalars, weights)
    rows = pairs.atoms_of(0)
    assert out.charges.sum() == pytest.approx(0.0, abs=1e-12)
    distance = cdist(structure.positions, structure.positions)
    for a in range(structure.n_atom):
        others = [b for b in range(structure.n_atom) if b != a]
        expected = sum(out.charges[rows[b]] / np.hypot(distance[a, b], SOFTENING) for b in others)
        assert field[rows[a]] == pytest.approx(expected, abs=1e-12)


def test_lone_atom_sees_nothing(weights):
    """Without neighbours only scalars remain, and those do not know the position."""
    pairs = listed(Structure([8], np.zeros((1, 3))))
    basis, envelope = MODEL.form.radial(pairs.distance)
    atoms, _ = atom_features(pairs, basis, weights)
    nodes, _ = message_features(pairs, basis, atoms, weights)
    field, *_ = field_of(pairs, nodes[:, 0], weights)
    irreps, _ = bond_irreps(pairs, basis, envelope, nodes, weights)
    assert not atoms[:, 1:].any()
    assert not nodes[:, 1:].any()
    assert np.abs(nodes[:, 0]).min() > 0.0
    assert not field.any()
    assert irreps.shape == (0, N_IRREP)


def test_messages_carry_what_densities_do_not_see(weights):
    """A change beyond the cutoff of an atom reaches its node features through a neighbour."""
    x = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [8.0, 0.0, 0.0], [8.0, 2.0, 0.0]])
    near, far = x.copy(), x.copy()
    far[3] += (0.3, 0.2, 0.4)
    atoms, nodes = [], []
    for positions in (near, far):
        pairs = listed(Structure([8, 8, 8, 8], positions))
        basis, _ = MODEL.form.radial(pairs.distance)
        a, _ = atom_features(pairs, basis, weights)
        n, _ = message_features(pairs, basis, a, weights)
        atoms.append(a[0])
        nodes.append(n[0])
    assert np.linalg.norm(x[3] - x[0]) > SMALL.cutoff > np.linalg.norm(x[3] - x[1])
    np.testing.assert_array_equal(*atoms)
    assert np.abs(nodes[0] - nodes[1]).max() > 1e-6


def test_density_is_the_sum_over_neighbours(pairs, weights):
    basis, _ = MODEL.form.radial(pairs.distance)
    _, record = atom_features(pairs, basis, weights)
    expected = naive.density(
        pairs.first,
        pairs.species[pairs.second],
        basis,
        pairs.sphere,
        pairs.n_atom,
        pairs.n_species,
    )
    np.testing.assert_allclose(record.expansion, expected, rtol=1e-12, atol=1e-13)
