"""Projection onto the minimal frame, on random matrices of the shapes met in practice."""

import numpy as np
import pytest
from scipy.linalg import eigh

from mlsemi.errors import ParameterError
from mlsemi.training.data.projection import (
    density_matrix,
    iao_frame,
    lowdin,
    projected_hamiltonian,
    smooth_hamiltonian,
    valence_selection,
)

N_BASIS, N_MINIMAL, N_OCCUPIED = 24, 8, 5


@pytest.fixture
def problem():
    """Overlap, overlap of the minimal basis, cross overlap, orbitals and their energies."""
    rng = np.random.default_rng(7)
    root = np.eye(N_BASIS) + 0.1 * rng.normal(size=(N_BASIS, N_BASIS))
    overlap = root @ root.T
    fock = rng.normal(size=(N_BASIS, N_BASIS))
    energies, orbitals = eigh(fock + fock.T, overlap)
    mixed = orbitals[:, : N_MINIMAL + 4] @ rng.normal(size=(N_MINIMAL + 4, N_MINIMAL))
    minimal = mixed + 0.1 * rng.normal(size=mixed.shape)
    return overlap, minimal.T @ overlap @ minimal, overlap @ minimal, orbitals, energies


@pytest.fixture
def amplitudes(problem):
    """T of all orbitals on the IAO frame."""
    overlap, overlap_minimal, cross, orbitals, _ = problem
    frame = iao_frame(overlap, overlap_minimal, cross, orbitals[:, :N_OCCUPIED])
    return frame.T @ overlap @ orbitals


def test_lowdin_is_orthonormal_and_nearest(problem):
    overlap, _, cross, *_ = problem
    out = lowdin(cross, overlap)
    np.testing.assert_allclose(out.T @ overlap @ out, np.eye(N_MINIMAL), atol=1e-12)
    product = out.T @ overlap @ cross
    np.testing.assert_allclose(product, product.T, atol=1e-10)
    assert np.linalg.eigvalsh(product).min() > 0.0


def test_iao_frame_is_orthonormal_and_spans_the_occupied_space(problem, amplitudes):
    overlap, overlap_minimal, cross, orbitals, _ = problem
    occupied = orbitals[:, :N_OCCUPIED]
    frame = iao_frame(overlap, overlap_minimal, cross, occupied)
    np.testing.assert_allclose(frame.T @ overlap @ frame, np.eye(N_MINIMAL), atol=1e-10)
    np.testing.assert_allclose(frame @ (frame.T @ overlap @ occupied), occupied, atol=1e-10)
    weight = np.sum(amplitudes**2, axis=0)
    np.testing.assert_allclose(weight[:N_OCCUPIED], 1.0, atol=1e-10)
    assert 0.05 < weight[N_OCCUPIED:].max() < 1.0 - 1e-6


def test_selection_keeps_all_occupied_and_the_best_virtual(amplitudes):
    chosen = valence_selection(amplitudes, N_OCCUPIED)
    assert chosen.size == N_MINIMAL
    assert np.all(np.diff(chosen) > 0)
    np.testing.assert_array_equal(chosen[:N_OCCUPIED], np.arange(N_OCCUPIED))
    best = N_OCCUPIED + np.argmax(np.sum(amplitudes[:, N_OCCUPIED:] ** 2, axis=0))
    assert best in chosen


def test_projected_hamiltonian_has_the_selected_energies(problem, amplitudes):
    energies = problem[-1]
    chosen = valence_selection(amplitudes, N_OCCUPIED)
    hamiltonian = projected_hamiltonian(amplitudes, energies, N_OCCUPIED)
    np.testing.assert_allclose(hamiltonian, hamiltonian.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(hamiltonian), energies[chosen], atol=1e-10)


def test_projected_hamiltonian_keeps_the_occupied_orbitals(problem, amplitudes):
    hamiltonian = projected_hamiltonian(amplitudes, problem[-1], N_OCCUPIED)
    occupied = amplitudes[:, :N_OCCUPIED]
    np.testing.assert_allclose(
        hamiltonian @ occupied, occupied * problem[-1][:N_OCCUPIED], atol=1e-10
    )


def test_density_matrix_holds_all_electrons_and_is_idempotent(amplitudes):
    density = density_matrix(amplitudes, N_OCCUPIED)
    assert np.trace(density) == pytest.approx(2 * N_OCCUPIED, abs=1e-10)
    np.testing.assert_allclose(density @ density, 2.0 * density, atol=1e-10)


def test_projection_follows_a_rotation_of_the_minimal_basis(problem):
    overlap, overlap_minimal, cross, orbitals, energies = problem
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(N_MINIMAL, N_MINIMAL)))[0]
    occupied = orbitals[:, :N_OCCUPIED]
    plain = iao_frame(overlap, overlap_minimal, cross, occupied).T @ overlap @ orbitals
    turned = (
        iao_frame(overlap, turn.T @ overlap_minimal @ turn, cross @ turn, occupied).T
        @ overlap
        @ orbitals
    )
    first = projected_hamiltonian(plain, energies, N_OCCUPIED)
    second = projected_hamiltonian(turned, energies, N_OCCUPIED)
    np.testing.assert_allclose(second, turn.T @ first @ turn, atol=1e-9)


def naive_smooth(amplitudes, energies, n_occupied, width):
    """F in the space of exp(-F / 2w) times the unoccupied part of the frame's functions."""
    n_virtual = energies.size - n_occupied
    functions = amplitudes[:, n_occupied:].T  # frame functions over virtual orbitals
    damped = np.exp(-energies[n_occupied:] / (2.0 * width))[:, None] * functions
    values, vectors = eigh(damped.T @ damped)
    kept = values > 1e-12 * values[-1]
    frame = damped @ (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    assert frame.shape == (n_virtual, amplitudes.shape[0])
    occupied = amplitudes[:, :n_occupied]
    return (occupied * energies[:n_occupied]) @ occupied.T + frame.T @ (
        energies[n_occupied:, None] * frame
    )


@pytest.mark.parametrize("width", [0.3, 1.0, 1e6])
def test_smooth_projection_is_what_it_says(problem, amplitudes, width):
    found = smooth_hamiltonian(amplitudes, problem[-1], N_OCCUPIED, width)
    expected = naive_smooth(amplitudes, problem[-1], N_OCCUPIED, width)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(found)[:N_OCCUPIED], problem[-1][:N_OCCUPIED], atol=1e-10
    )
    shifted = smooth_hamiltonian(amplitudes, problem[-1] + 0.7, N_OCCUPIED, width)
    np.testing.assert_allclose(shifted, found + 0.7 * np.eye(N_MINIMAL), atol=1e-9)


def test_smooth_projection_has_the_lowest_virtual(problem, amplitudes):
    """The error falls off as exp(-gap / w)."""
    energies = problem[-1]
    gap = energies[N_OCCUPIED + 1] - energies[N_OCCUPIED]
    errors = [
        np.linalg.eigvalsh(smooth_hamiltonian(amplitudes, energies, N_OCCUPIED, w))[N_OCCUPIED]
        - energies[N_OCCUPIED]
        for w in (gap / 4.0, gap / 12.0)
    ]
    assert 0.0 <= errors[1] < 0.01 * errors[0]


def test_smooth_projection_knows_no_jumps():
    """Along a path whose virtuals cross and mix, where the choice of the last one changes."""
    rng = np.random.default_rng(3)
    n, n_min, n_occupied = 14, 6, 3
    base, change = (x + x.T for x in rng.normal(size=(2, n, n)))
    base[:n_occupied] = base[:, :n_occupied] = 0.0
    base[range(n_occupied), range(n_occupied)] = -20.0
    minimal = rng.normal(size=(n, n_min))
    chosen, smooth = [], []
    for x in np.linspace(0.0, 2.0, 801):
        energies, orbitals = np.linalg.eigh(base + x * change)
        frame = iao_frame(np.eye(n), minimal.T @ minimal, minimal, orbitals[:, :n_occupied])
        t = frame.T @ orbitals
        chosen.append(projected_hamiltonian(t, energies, n_occupied))
        smooth.append(smooth_hamiltonian(t, energies, n_occupied, 1.0))
    steps = [np.abs(np.diff(path, axis=0)).max(axis=(1, 2)) for path in (chosen, smooth)]
    assert steps[0].max() > 20.0 * np.median(steps[0])
    assert steps[1].max() < 20.0 * np.median(steps[1])
    bends = [np.abs(np.diff(path, 2, axis=0)).max() for path in (chosen, smooth)]
    assert bends[1] < 0.02 * bends[0]


def test_smooth_projection_of_chosen_levels_is_refused(amplitudes, problem):
    with pytest.raises(ParameterError, match="needs all virtual levels"):
        smooth_hamiltonian(amplitudes[:, : N_OCCUPIED + 1], problem[-1][: N_OCCUPIED + 1], 5)
