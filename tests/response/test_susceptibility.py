"""Moments, Coulomb kernel and susceptibility: against matrices, differences and each other."""

import numpy as np
import pytest
from ase.build import molecule
from harness import assert_adjoint
from molecules import distorted, moved
from scipy.integrate import quad

from mlsemi.evaluate import singlepoint
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import eigen
from mlsemi.orbitals.observables import dipole, lowdin_charges
from mlsemi.response.coulomb import coulomb, coulomb_adjoint
from mlsemi.response.moments import AtomicMoments
from mlsemi.response.susceptibility import Induction, Susceptibility

MOLECULE = distorted("CH3CONH2")
RNG = np.random.default_rng(0)
LENGTHS = RNG.uniform(0.5, 1.5, MOLECULE.n_atom)
MOMENTS = AtomicMoments.of_structure(MOLECULE, LENGTHS)


def symmetric_matrix(n=MOLECULE.n_orbital, seed=1):
    matrix = np.random.default_rng(seed).normal(size=(n, n))
    return matrix + matrix.T


def potential(seed):
    return np.random.default_rng(seed).normal(size=(MOLECULE.n_atom, 4))


def susceptibility(matrix, n_electron):
    return Susceptibility.of_state(MOMENTS, eigen.solve(matrix, n_electron), n_electron)


def test_moments_are_those_of_the_observables():
    density = symmetric_matrix()
    found = MOMENTS.of(density)
    charges = lowdin_charges(MOLECULE, density)
    np.testing.assert_allclose(found[:, 0] + MOLECULE.core_charges, charges, atol=1e-12)
    zero = np.zeros((MOLECULE.n_atom, 3))
    total = dipole(MOLECULE, 0.0 * charges, density, LENGTHS, zero)
    np.testing.assert_allclose(found[:, 1:].sum(axis=0), total, atol=1e-12)


def test_operator_is_the_adjoint_of_the_moments():
    u, density = potential(2), symmetric_matrix()
    operator = MOMENTS.operator(u)
    assert np.sum(operator * density) == pytest.approx(np.sum(u * MOMENTS.of(density)), abs=1e-11)
    np.testing.assert_allclose(MOMENTS.operate(u, density), operator @ density, atol=1e-12)
    left, right = density[:, :3], density[:, 5:8]
    product = left @ right.T + right @ left.T
    np.testing.assert_allclose(MOMENTS.of_product(left, right), MOMENTS.of(product), atol=1e-11)


@pytest.mark.parametrize("n_electron", [24, 23])
def test_susceptibility_is_the_derivative_of_the_density(n_electron):
    matrix, u, v, h = symmetric_matrix(), potential(3), potential(4), 1e-5
    own, step = susceptibility(matrix, n_electron), h * MOMENTS.operator(u)
    up, down = (susceptibility(matrix + s * step, n_electron).density for s in (1, -1))
    np.testing.assert_allclose(own(u), MOMENTS.of((up - down) / (2 * h)), atol=1e-8)
    assert np.sum(v * own(u)) == pytest.approx(np.sum(u * own(v)), abs=1e-12)
    assert np.sum(u * own(u)) < 0.0
    assert np.trace(own.density) == pytest.approx(n_electron, abs=1e-12)


def test_constant_potential_moves_nothing():
    u = np.zeros((MOLECULE.n_atom, 4))
    u[:, 0] = 1.0
    np.testing.assert_allclose(susceptibility(symmetric_matrix(), 24)(u), 0.0, atol=1e-12)


@pytest.mark.parametrize("n_electron", [24, 23])
def test_susceptibility_adjoint(n_electron):
    u, v, weight = potential(5), potential(6), symmetric_matrix(seed=7)

    def forward(matrix):
        own = susceptibility(0.5 * (matrix + matrix.T), n_electron)
        return np.sum(v * own(u)), np.sum(weight * own.density)

    def adjoint(bar, density_bar):
        own = susceptibility(symmetric_matrix(), n_electron)
        return bar * own.adjoint(u, v) + own.density_adjoint(density_bar * weight)

    assert_adjoint(forward, adjoint, [symmetric_matrix()], step=2e-3, rtol=1e-8)


@pytest.mark.parametrize("n_electron", [22, 23, 24, 25, 26, 27, 28])
def test_a_level_shares_its_electrons(n_electron):
    """Whatever orbitals span a degenerate level, its electrons are spread evenly over it."""
    turn = np.linalg.qr(symmetric_matrix())[0]
    levels = np.sort(np.random.default_rng(9).normal(size=MOLECULE.n_orbital))
    levels[11:14] = levels[12]
    matrix = (turn * levels) @ turn.T
    own = susceptibility(matrix, n_electron)
    assert np.trace(own.density) == pytest.approx(n_electron, abs=1e-10)
    inside = turn[:, 11:14].T @ own.density @ turn[:, 11:14]
    np.testing.assert_allclose(inside, (n_electron - 22) / 3.0 * np.eye(3), atol=1e-8)
    assert np.isfinite(own(potential(3))).all()


def test_coulomb_interaction_of_gaussians():
    """The potential of one Gaussian charge, averaged over another's, by quadrature."""
    hardness = np.array([0.31, 0.44])
    a, b = 1.0 / (np.sqrt(np.pi) * hardness)
    x = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]])
    gamma = coulomb(x, hardness)
    both = 2.0 * (a * a + b * b)
    # in momentum space: 2/pi int exp(-k^2 w^2 / 4) sin(kR)/(kR) dk
    value, _ = quad(lambda k: np.exp(-k * k * both / 4.0) * np.sinc(k * 2.3 / np.pi), 0.0, 30.0)
    assert gamma[0, 1] == pytest.approx(2.0 / np.pi * value, abs=1e-10)
    np.testing.assert_allclose(np.diag(gamma), hardness)
    near = coulomb(1e-6 * x, np.array([0.4, 0.4]))
    assert near[0, 1] == pytest.approx(0.4, rel=1e-9)
    far = coulomb(10.0 * x, hardness)
    assert far[0, 1] == pytest.approx(1.0 / 23.0, abs=1e-15)


def test_coulomb_adjoint():
    hardness = np.random.default_rng(8).uniform(0.2, 0.5, MOLECULE.n_atom)
    assert_adjoint(
        lambda x: coulomb(moved(MOLECULE, x).positions, hardness),
        lambda bar: coulomb_adjoint(MOLECULE.positions, hardness, bar),
        [MOLECULE.positions],
    )


def alpha_of(structure):
    """Of a set whose levels do not see what is far away."""
    return singlepoint(structure, polarizability=True, parameters="contacts-1").polarizability


def test_polarisability_turns_and_adds():
    """Of a turned molecule it is turned; of two that are far apart the sum, atoms' own included."""
    water, methane = distorted("H2O"), distorted("CH4")
    one, other = (alpha_of(s) for s in (water, methane))
    R = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turned = alpha_of(moved(water, water.positions @ R.T))
    np.testing.assert_allclose(turned, R @ one @ R.T, atol=1e-8)
    far = methane.positions + np.array([4000.0, 3000.0, 0.0])
    numbers = np.concatenate([water.numbers, methane.numbers])
    pair = Structure(numbers, np.vstack([water.positions, far]))
    np.testing.assert_allclose(alpha_of(pair), one + other, atol=1e-4)


def test_atoms_polarise_across_a_plane():
    """B3LYP/def2-SVPD: 9.2 bohr^3 across the plane of water, 42 across that of benzene."""
    for name, axis, least in (("H2O", 0, 5.0), ("C6H6", 2, 30.0)):
        alpha = singlepoint(molecule(name), polarizability=True).polarizability
        assert alpha[axis, axis] > least


def test_what_a_potential_induces():
    """s Pi u and a times the field on each atom; its adjoint by H_o is that of Pi."""
    bare, u = susceptibility(symmetric_matrix(), 24), potential(5)
    own = Induction(bare, 0.5, np.arange(MOLECULE.n_atom, dtype=float))
    more = own(u) - 0.5 * bare(u)
    np.testing.assert_allclose(more[:, 0], 0.0, atol=1e-12)
    atomic = -np.arange(MOLECULE.n_atom)[:, None] * u[:, 1:]
    np.testing.assert_allclose(more[:, 1:], atomic, atol=1e-12)
    np.testing.assert_allclose(own.adjoint(u, u), 0.5 * bare.adjoint(u, u), atol=1e-12)
