import numpy as np
import pytest
from harness import assert_adjoint, assert_equivariant
from molecules import distorted, moved, random_model

from mlsemi.ground.state import ground_state
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import inverse_root, solve
from mlsemi.orbitals.observables import (
    XYZ,
    dipole,
    dipole_adjoint,
    lowdin_charges,
    lowdin_charges_adjoint,
    mayer_bond_orders,
    mulliken_charges,
    orbital_atom,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_density(structure, rng):
    matrix = rng.normal(size=(structure.n_orbital,) * 2)
    return solve(matrix + matrix.T, structure.n_electron).density


def random_overlap(structure, rng):
    """Positive definite with unit diagonal and unit blocks on the atoms."""
    n = structure.n_orbital
    matrix = 0.06 * rng.uniform(-1.0, 1.0, (n, n))
    matrix += matrix.T
    atom = orbital_atom(structure)
    matrix[atom[:, None] == atom[None, :]] = 0.0
    return matrix + np.eye(n)


def test_orbital_atom():
    structure = Structure([8, 1, 1], [[0, 0, 0], [0, 0, 2], [0, 2, 0]])
    np.testing.assert_array_equal(orbital_atom(structure), [0, 0, 0, 0, 1, 2])


@pytest.mark.parametrize("charge", [0, 2, -2])
def test_charges_sum_to_the_total_charge(charge, rng):
    neutral = distorted("CH3CONH2")
    structure = Structure(neutral.numbers, neutral.positions, charge)
    density = random_density(structure, rng)
    lowdin = lowdin_charges(structure, density)
    assert lowdin.sum() == pytest.approx(charge, abs=1e-11)
    overlap = random_overlap(structure, rng)
    root = inverse_root(overlap)
    mulliken = mulliken_charges(structure, root @ density @ root, overlap)
    assert mulliken.sum() == pytest.approx(charge, abs=1e-11)
    assert np.abs(mulliken - lowdin).max() > 1e-3


def test_mulliken_is_lowdin_without_overlap(rng):
    structure = distorted("HCOOH")
    density = random_density(structure, rng)
    mulliken = mulliken_charges(structure, density, np.eye(structure.n_orbital))
    np.testing.assert_allclose(mulliken, lowdin_charges(structure, density), atol=1e-12)


def test_free_atoms_are_neutral():
    """Every orbital of carbon half filled: q = 0."""
    structure = Structure([6, 6], [[0, 0, 0], [0, 0, 2.5]])
    np.testing.assert_allclose(lowdin_charges(structure, np.eye(8)), 0.0)


def doubly(n, *orbitals):
    """Density of orthonormal orbitals given as {basis function: coefficient}."""
    density = np.zeros((n, n))
    for orbital in orbitals:
        c = np.zeros(n)
        for index, value in orbital.items():
            c[index] = value
        c /= np.linalg.norm(c)
        density += 2.0 * np.outer(c, c)
    return density


def test_bond_order_of_hydrogen_is_one_at_any_overlap():
    structure = Structure([1, 1], [[0, 0, 0], [0, 0, 1.4]])
    for s in (0.0, 0.3, 0.6):
        overlap = np.array([[1.0, s], [s, 1.0]])
        density = np.full((2, 2), 1.0 / (1.0 + s))
        orders = mayer_bond_orders(structure, density, overlap)
        np.testing.assert_allclose(orders, [[0.0, 1.0], [1.0, 0.0]], atol=1e-13)


def test_bond_order_of_nitrogen_is_three():
    """Lone pairs in s, one sigma and two pi bonds in p (order s, y, z, x)."""
    structure = Structure([7, 7], [[0, 0, 0], [0, 0, 2.1]])
    density = doubly(8, {0: 1}, {4: 1}, {1: 1, 5: 1}, {2: 1, 6: -1}, {3: 1, 7: 1})
    orders = mayer_bond_orders(structure, density, np.eye(8))
    np.testing.assert_allclose(orders, [[0.0, 3.0], [3.0, 0.0]], atol=1e-13)
    np.testing.assert_allclose(lowdin_charges(structure, density), 0.0, atol=1e-13)


def test_bond_orders_of_ethyne():
    """H-C#C-H along z with sp hybrids: 1, 3, 1 and nothing else."""
    structure = Structure([1, 6, 6, 1], [[0, 0, z] for z in (-3.3, -1.15, 1.15, 3.3)])
    density = doubly(
        10,
        {0: np.sqrt(2.0), 1: 1, 3: -1},
        {1: 1, 3: 1, 5: 1, 7: -1},
        {2: 1, 6: 1},
        {4: 1, 8: 1},
        {5: 1, 7: 1, 9: np.sqrt(2.0)},
    )
    expected = np.zeros((4, 4))
    for i, j, order in ((0, 1, 1.0), (1, 2, 3.0), (2, 3, 1.0)):
        expected[i, j] = expected[j, i] = order
    orders = mayer_bond_orders(structure, density, np.eye(10))
    np.testing.assert_allclose(orders, expected, atol=1e-13)


def test_ions_have_no_bond():
    structure = Structure([1, 1], [[0, 0, 0], [0, 0, 1.4]])
    orders = mayer_bond_orders(structure, doubly(2, {0: 1}), np.eye(2))
    assert not orders.any()


def test_bond_orders_are_symmetric(rng):
    structure = distorted("HCOOH")
    overlap = random_overlap(structure, rng)
    root = inverse_root(overlap)
    orders = mayer_bond_orders(structure, root @ random_density(structure, rng) @ root, overlap)
    np.testing.assert_allclose(orders, orders.T, atol=1e-12)
    assert not np.diag(orders).any()


def test_dipole_of_point_charges_and_of_a_hybrid():
    """mu = q R - 2 d P(s, p): an electron leans towards +z, the dipole points to -z."""
    structure = Structure([1, 8, 1], [[0, 0, 0], [0, 0, 2.0], [0, 1.5, 3.0]])
    charges = np.array([0.3, -0.5, 0.2])
    density = np.zeros((6, 6))
    density[1, 3] = density[3, 1] = 0.4  # s with p_z
    length = np.array([0.0, 0.9, 0.0])
    mu = dipole(structure, charges, density, length, np.zeros((3, 3)))
    np.testing.assert_allclose(mu, charges @ structure.positions - [0.0, 0.0, 2 * 0.9 * 0.4])
    learned = np.arange(9.0).reshape(3, 3)
    more = dipole(structure, charges, density, length, learned)
    np.testing.assert_allclose(more - mu, learned.sum(axis=0))


def test_dipole_without_p_shells():
    structure = Structure([1, 1], [[0, 0, 0], [0, 0, 1.4]])
    mu = dipole(structure, np.array([0.5, -0.5]), np.eye(2), np.ones(2), np.zeros((2, 3)))
    np.testing.assert_allclose(mu, [0.0, 0.0, -0.7])


def test_charges_adjoint(rng):
    structure = distorted("HCOOH")
    density = random_density(structure, rng)

    def adjoint(charges_bar):
        bar = lowdin_charges_adjoint(structure, charges_bar)
        assert not (bar - np.diag(np.diag(bar))).any()
        return np.diag(bar)

    assert_adjoint(
        lambda p: lowdin_charges(structure, np.diag(p)), adjoint, [np.diag(density).copy()]
    )


def test_dipole_adjoint(rng):
    structure = distorted("CH3CONH2")
    density = rng.normal(size=(structure.n_orbital,) * 2)
    charges, length = rng.normal(size=(2, structure.n_atom))
    read = np.zeros_like(density, dtype=bool)
    start = np.searchsorted(orbital_atom(structure), np.flatnonzero(structure.numbers > 1))
    read[start[:, None], start[:, None] + 1 + np.arange(3)] = True

    def forward(x, charges, density, length, atoms):
        return dipole(moved(structure, x), charges, density, length, atoms)

    def adjoint(bar):
        charges_bar, density_bar, length_bar, positions_bar = dipole_adjoint(
            structure, charges, density, length, bar
        )
        assert not density_bar[~read].any()
        atoms_bar = np.broadcast_to(bar, (structure.n_atom, 3))
        return positions_bar, charges_bar, density_bar, length_bar, atoms_bar

    atoms = rng.normal(size=(structure.n_atom, 3))
    assert_adjoint(forward, adjoint, [structure.positions, charges, density, length, atoms])


def test_observables_of_a_model_are_equivariant():
    """Dipoles of a neutral molecule do not depend on the origin and turn with the molecule."""
    model = random_model(seed=4)

    def observe(structure):
        pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        ground = ground_state(model, model.predict(pairs)[0], 0)
        overlap = np.eye(structure.n_orbital)
        return {
            "density": ("orbital_pair", ground.density),
            "charges": ("atom", ground.charges),
            "dipole": ("vector", ground.dipole),
            "orders": ("atom_pair", mayer_bond_orders(structure, ground.density, overlap)),
        }

    assert_equivariant(observe, distorted("CH3NO2"))


def test_component_order():
    np.testing.assert_array_equal(np.array(["y", "z", "x"])[XYZ], ["x", "y", "z"])
