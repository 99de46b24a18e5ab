"""Correlations rho_i^nu and rho_ij^nu of any order: symmetry, derivatives, known limits."""

from dataclasses import replace

import numpy as np
import pytest
from harness import assert_equivariant
from representation_walks import (
    BASIS,
    BONDS,
    ELEMENTS,
    EXPANSION,
    STRUCTURES,
    assert_position_derivative,
    by_order,
    fitted_atoms,
    placed,
)
from scipy.stats import ortho_group

from mlsemi.errors import InputError
from mlsemi.representations.centers import Bonds, PairFeatures, symmetrised
from mlsemi.representations.correlations import irreps_up_to
from mlsemi.representations.neighbours import Points
from mlsemi.representations.radial_tables import point_functions
from mlsemi.symmetry.products import METHODS, Product


@pytest.fixture(scope="module")
def atoms():
    return fitted_atoms(nu=4)


@pytest.fixture(scope="module")
def pairs(atoms):
    return PairFeatures.fit(STRUCTURES, BONDS, atoms, 2, 2, 6, n_product=60)


def test_atom_features_are_equivariant(atoms):
    assert {i for order in atoms([STRUCTURES[0]]) for i in order} == set(irreps_up_to(3))
    assert_equivariant(lambda s: by_order(atoms([s])), STRUCTURES[1])


def test_pair_features_are_equivariant(pairs):
    def observe(structure):
        neighbours, orders = pairs([structure])
        centers = np.stack([neighbours.first, neighbours.second], axis=1)
        return by_order(orders, placed(centers, structure.n_atom))

    assert_equivariant(observe, STRUCTURES[1])


def test_position_derivatives(atoms, pairs):
    assert_position_derivative(atoms, STRUCTURES[0])
    assert_position_derivative(pairs, STRUCTURES[0], lambda result: result.orders)


@pytest.mark.parametrize("sign", [1, -1])
def test_exchange_of_the_two_centers(pairs, sign):
    neighbours, orders = pairs([STRUCTURES[0]])
    np.testing.assert_array_equal(neighbours.first[neighbours.reverse], neighbours.second)
    for value in symmetrised(orders[1], neighbours.reverse, sign).values():
        assert np.abs(value).max() > 1e-3
        np.testing.assert_array_equal(value[neighbours.reverse], sign * value)


def test_bare_bond_changes_sign_with_its_degree():
    """Without species labels, order 0 of (j, i) is (-1)^l times that of (i, j)."""
    bonds = Bonds(ELEMENTS, point_functions(BASIS, 3))
    neighbours = bonds.neighbours(STRUCTURES)
    for irrep, value in bonds(neighbours).items():
        np.testing.assert_allclose(value[neighbours.reverse], (-1) ** irrep.l * value, atol=1e-13)


def test_expansion_is_the_sum_of_its_bonds():
    neighbours = EXPANSION.neighbours(STRUCTURES)
    bonds = Bonds(ELEMENTS, EXPANSION.radial, by_species=True)(neighbours)
    for irrep, value in EXPANSION(neighbours).items():
        expected = np.zeros_like(value)
        np.add.at(expected, neighbours.first, bonds[irrep])
        np.testing.assert_allclose(value, expected, atol=1e-13)


def test_all_irreps_of_a_product_keep_its_norm():
    """Clebsch-Gordan coefficients are orthogonal: |a x b| = |a| |b| when no irrep is left out."""
    rho = EXPANSION(EXPANSION.neighbours(STRUCTURES))
    a, b = ({i: v for i, v in rho.items() if i.l in degrees} for degrees in ((1, 2), (1,)))
    out = Product.all(a, b, irreps_up_to(3))(a, b)
    norm, left, right = (
        sum((v**2).sum(axis=(1, 2)) for v in tensors.values()) for tensors in (out, a, b)
    )
    np.testing.assert_allclose(norm, left * right, rtol=1e-12)


def test_a_set_times_itself_counts_every_product_once():
    rho = EXPANSION(EXPANSION.neighbours(STRUCTURES))
    copy = dict(rho)
    once, twice = (Product.all(rho, other, irreps_up_to(2)) for other in (rho, copy))
    assert sum(t.first.size for t in once.terms) < 0.6 * sum(t.first.size for t in twice.terms)
    for irrep, value in twice(rho, copy).items():
        flat = [x.reshape(-1, x.shape[2]) for x in (value, once(rho, rho)[irrep])]
        ranks = [np.linalg.matrix_rank(x, tol=1e-10) for x in (*flat, np.hstack(flat))]
        assert ranks[0] == ranks[1] == ranks[2] > 0


@pytest.mark.parametrize("method", METHODS)
def test_contractions_keep_what_they_are_told(method):
    rho = EXPANSION(EXPANSION.neighbours(STRUCTURES))
    fitted = Product.fit(rho, rho, irreps_up_to(2), 5, method)
    out = fitted(rho, rho)
    assert set(out) == set(fitted.irreps)
    assert all(value.shape[2] == 5 for irrep, value in out.items() if irrep != (0, -1))
    every = Product.all(rho, rho, fitted.irreps)(rho, rho)
    for irrep, value in out.items():
        flat = [x.reshape(-1, x.shape[2]) for x in (every[irrep], value)]
        left = flat[1] - flat[0] @ np.linalg.lstsq(flat[0], flat[1], rcond=1e-12)[0]
        assert np.abs(left).max() < 1e-9 * np.abs(value).max()


def test_principal_components_are_uncorrelated_and_normalised(atoms):
    for order in atoms(STRUCTURES):
        norm = 0.0
        for value in order.values():
            flat = value.reshape(-1, value.shape[2])
            gram = flat.T @ flat / value.shape[0]
            np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10)
            norm += np.trace(gram)
        assert norm == pytest.approx(1.0, rel=1e-10)


def test_optimal_radial_functions_keep_most_of_the_density():
    """No other pair of orthonormal combinations keeps as much; all four keep everything."""

    def variance(expansion):
        return sum((v**2).sum() for v in expansion(expansion.neighbours(STRUCTURES)).values())

    total, kept = variance(EXPANSION), variance(EXPANSION.optimal(STRUCTURES, 2))
    assert variance(EXPANSION.optimal(STRUCTURES, 4)) == pytest.approx(total, rel=1e-10)
    assert 0.5 * total < kept < total
    for seed in range(5):
        turn = ortho_group.rvs(4, random_state=seed)[:, :2]
        radial = EXPANSION.radial.contracted(np.tile(turn, (len(ELEMENTS), 4, 1, 1)))
        assert variance(replace(EXPANSION, radial=radial)) < kept


def test_lone_atoms_and_unknown_elements(atoms):
    for order in atoms([Points(np.array([8]), np.zeros((1, 3)))]):
        assert not any(value.any() for value in order.values())
    with pytest.raises(InputError, match="not B"):
        atoms([Points(np.array([5]), np.zeros((1, 3)))])
    with pytest.raises(InputError, match="allowed are pca"):
        Product.fit({}, {}, (), 1, "svd")
