import numpy as np
import pytest
from harness import assert_adjoint

from mlsemi.errors import ConvergenceError
from mlsemi.orbitals.eigen import (
    ElectronicState,
    inverse_root,
    inverse_root_adjoint,
    solve,
    solve_adjoint,
)

N, N_ELECTRON = 9, 8


def with_levels(levels, seed=0):
    """Symmetric matrix of given eigenvalues in a random frame."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(levels),) * 2))[0]
    return (q * np.asarray(levels)) @ q.T


@pytest.fixture(scope="module")
def hamiltonian():
    return with_levels(np.linspace(-1.2, 0.9, N) + 0.05 * np.sin(np.arange(N) * 3))


def assert_solve_adjoint(hamiltonian, forward, adjoint):
    """Directions are symmetrised: H_o is a symmetric matrix, its cotangent one of those."""
    assert_adjoint(lambda h: forward(solve(0.5 * (h + h.T), N_ELECTRON)), adjoint, [hamiltonian])


def test_solve(hamiltonian):
    state = solve(hamiltonian, N_ELECTRON)
    c = state.orbitals
    np.testing.assert_allclose(c.T @ c, np.eye(N), atol=1e-13)
    np.testing.assert_allclose(hamiltonian @ c, c * state.energies, atol=1e-13)
    assert (np.diff(state.energies) > 0).all()
    assert state.n_occupied == 4
    assert state.homo == state.energies[3]
    assert state.lumo == state.energies[4]
    p = state.density
    assert np.trace(p) == pytest.approx(N_ELECTRON)
    np.testing.assert_allclose(p @ p, 2.0 * p, atol=1e-12)
    np.testing.assert_allclose(p @ hamiltonian, hamiltonian @ p, atol=1e-12)


def test_full_shell_has_no_lumo():
    state = ElectronicState(np.array([-1.0, -0.5]), np.eye(2), 2)
    assert np.isnan(state.lumo)
    assert state.homo == -0.5
    bar = solve_adjoint(state, density_bar=np.ones((2, 2)))
    np.testing.assert_array_equal(bar, np.zeros((2, 2)))


def test_energies_adjoint(hamiltonian):
    state = solve(hamiltonian, N_ELECTRON)
    assert_solve_adjoint(
        hamiltonian, lambda s: s.energies, lambda bar: solve_adjoint(state, energies_bar=bar)
    )


def test_density_adjoint(hamiltonian):
    state = solve(hamiltonian, N_ELECTRON)
    assert_solve_adjoint(
        hamiltonian, lambda s: s.density, lambda bar: solve_adjoint(state, density_bar=bar)
    )


def test_both_cotangents_add(hamiltonian):
    state = solve(hamiltonian, N_ELECTRON)
    assert_solve_adjoint(
        hamiltonian, lambda s: (s.energies, s.density), lambda e, p: solve_adjoint(state, e, p)
    )


def test_density_adjoint_with_degenerate_spaces():
    """Two occupied and three virtual levels coincide: the density does not notice."""
    levels = [-1.0, -0.7, -0.7, -0.4, 0.2, 0.5, 0.5, 0.5, 0.8]
    matrix = with_levels(levels, seed=1)
    state = solve(matrix, N_ELECTRON)
    assert np.diff(state.energies)[[1, 5, 6]].max() < 1e-14
    assert_solve_adjoint(
        matrix, lambda s: s.density, lambda bar: solve_adjoint(state, density_bar=bar)
    )
    rotated = state.orbitals.copy()
    rotated[:, 1:3] = rotated[:, 1:3] @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    other = ElectronicState(state.energies, rotated, state.n_occupied)
    bar = np.random.default_rng(2).normal(size=matrix.shape)
    np.testing.assert_allclose(
        solve_adjoint(other, density_bar=bar), solve_adjoint(state, density_bar=bar), atol=1e-12
    )


def test_energies_adjoint_of_a_whole_degenerate_level():
    """Equal cotangents over a level: its mean is smooth although its members are not."""
    levels = [-1.0, -0.7, -0.7, -0.4, 0.2, 0.5, 0.5, 0.5, 0.8]
    matrix = with_levels(levels, seed=1)
    state = solve(matrix, N_ELECTRON)

    def means(s):
        e = s.energies
        return np.array([e[0], e[1] + e[2], e[3], e[4], e[5] + e[6] + e[7], e[8]])

    def adjoint(bar):
        return solve_adjoint(state, energies_bar=bar[[0, 1, 1, 2, 3, 4, 4, 4, 5]])

    assert_solve_adjoint(matrix, means, adjoint)


KT = 0.15
"""Warm enough that every level of the test matrix is partly filled."""


def smeared(matrix):
    return solve(0.5 * (matrix + matrix.T), N_ELECTRON, KT)


def test_smeared_state(hamiltonian):
    state = smeared(hamiltonian)
    assert np.trace(state.density) == pytest.approx(N_ELECTRON)
    assert 1e-3 < state.occupations[-1] < state.occupations[0] < 1.999
    assert state.entropy > 1.0
    free = state.occupations @ state.energies - KT * state.entropy
    closed = 2.0 * state.energies[: state.n_occupied].sum()
    assert state.smearing_energy == pytest.approx(free - closed)
    assert state.smearing_energy < -0.1
    cold = solve(hamiltonian, N_ELECTRON, 1e-6)
    np.testing.assert_allclose(cold.density, solve(hamiltonian, N_ELECTRON).density, atol=1e-12)
    assert cold.smearing_energy == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize("levels", [None, [-1.0, -0.7, -0.7, -0.1, -0.1, 0.5, 0.5, 0.5, 0.8]])
def test_smeared_density_adjoint(hamiltonian, levels):
    """Also where the highest occupied and the lowest empty level coincide."""
    matrix = hamiltonian if levels is None else with_levels(levels, seed=5)
    state = smeared(matrix)
    assert_adjoint(
        lambda h: smeared(h).density, lambda bar: solve_adjoint(state, density_bar=bar), [matrix]
    )


def test_smearing_energy_adjoint(hamiltonian):
    state = smeared(hamiltonian)
    assert_adjoint(
        lambda h: smeared(h).smearing_energy,
        lambda bar: bar * (state.density - state.closed_density),
        [hamiltonian],
    )


def test_no_gap_is_refused_without_a_temperature():
    state = solve(np.diag([-1.0, -0.5, -0.5, 0.0]), 4)
    with pytest.raises(ConvergenceError, match="electronic temperature"):
        solve_adjoint(state, density_bar=np.eye(4))


def test_cotangent_is_symmetric(hamiltonian):
    state = solve(hamiltonian, N_ELECTRON)
    rng = np.random.default_rng(0)
    bar = solve_adjoint(state, rng.normal(size=N), rng.normal(size=(N, N)))
    np.testing.assert_allclose(bar, bar.T, atol=1e-13)


@pytest.fixture(scope="module")
def overlap():
    return with_levels(np.linspace(0.3, 1.9, 7), seed=3)


def test_inverse_root(overlap):
    x = inverse_root(overlap)
    np.testing.assert_allclose(x, x.T, atol=1e-13)
    np.testing.assert_allclose(x @ overlap @ x, np.eye(7), atol=1e-12)


def test_inverse_root_adjoint(overlap):
    def adjoint(bar):
        s_bar = inverse_root_adjoint(overlap, bar)
        return 0.5 * (s_bar + s_bar.T)

    assert_adjoint(lambda s: inverse_root(0.5 * (s + s.T)), adjoint, [overlap])


def test_inverse_root_adjoint_at_a_degenerate_overlap():
    matrix = with_levels([0.4, 0.4, 1.0, 1.0, 1.0, 1.7], seed=4)

    def adjoint(bar):
        s_bar = inverse_root_adjoint(matrix, bar)
        return 0.5 * (s_bar + s_bar.T)

    assert_adjoint(lambda s: inverse_root(0.5 * (s + s.T)), adjoint, [matrix])


def test_dependent_basis_is_refused():
    with pytest.raises(ConvergenceError, match="linearly dependent"):
        inverse_root(np.ones((3, 3)))
