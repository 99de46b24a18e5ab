"""excite_adjoint against central differences, on molecules without symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from huckel import distorted
from test_excitations import CORRECTED, davidson_only

from mlsemi.excited.excitations import excite, excite_adjoint
from mlsemi.excited.interaction import interaction
from mlsemi.kernels.response import (
    missing_exchange,
    missing_exchange_adjoint,
    screened,
    screened_adjoint,
)
from mlsemi.orbitals.eigen import solve

STEP = 2e-5
N_STATE = 4
ENERGIES_BAR = np.array([0.7, -1.1, 0.4, 1.3])


@pytest.fixture(scope="module")
def formaldehyde():
    return distorted("H2CO", amplitude=0.2)


@pytest.fixture(scope="module", params=["singlet", "triplet"])
def case(request, formaldehyde):
    between = formaldehyde.interaction(CORRECTED)
    states = excite(formaldehyde.state, between, N_STATE, request.param)
    assert np.diff(states.energies).min() > 1e-3
    bar = excite_adjoint(states, formaldehyde.state, between, ENERGIES_BAR)
    return formaldehyde, request.param, bar


def loss(molecule, multiplicity, hamiltonian=None, **changed):
    """sum_k w_bar_k w_k with H_o or anything that the interaction is made of replaced."""
    fresh = replace(molecule.interaction(CORRECTED), **changed)
    between = interaction(
        fresh.positions,
        fresh.orbital_atom,
        molecule.basis.orbital_l,
        fresh.hardness,
        fresh.exchange,
        fresh.scalars,
    )
    state = molecule.state
    if hamiltonian is not None:
        state = solve(hamiltonian, molecule.structure.n_electron)
    energies = excite(state, between, N_STATE, multiplicity).energies
    return ENERGIES_BAR @ energies


def central(function, step=STEP):
    """Fourth-order central difference of a function of one number at 0."""
    near, far = function(step) - function(-step), function(2 * step) - function(-2 * step)
    return (8.0 * near - far) / (12.0 * step)


def assert_derivative(actual, expected):
    """Equal to what the difference can resolve: the sums cancel from terms of order one."""
    assert abs(expected) > 1e-5
    assert actual == pytest.approx(expected, rel=1e-7, abs=2e-8)


def test_hamiltonian(case):
    molecule, multiplicity, bar = case
    np.testing.assert_allclose(bar.hamiltonian, bar.hamiltonian.T, atol=1e-14)
    rng = np.random.default_rng(1)
    for _ in range(4):
        direction = rng.standard_normal(molecule.hamiltonian.shape)
        direction += direction.T
        expected = central(
            lambda x, d=direction: loss(molecule, multiplicity, molecule.hamiltonian + x * d)
        )
        assert_derivative((bar.hamiltonian * direction).sum(), expected)


def test_positions_at_fixed_hamiltonian(case):
    molecule, multiplicity, bar = case
    np.testing.assert_allclose(bar.positions.sum(axis=0), 0.0, atol=1e-14)
    rng = np.random.default_rng(2)
    start = molecule.structure.positions
    for _ in range(3):
        direction = rng.standard_normal(bar.positions.shape)
        expected = central(
            lambda x, d=direction: loss(molecule, multiplicity, positions=start + x * d)
        )
        assert_derivative((bar.positions * direction).sum(), expected)


def test_parameters(case):
    molecule, multiplicity, bar = case
    between = molecule.interaction(CORRECTED)
    for name, value in between.scalars._asdict().items():
        if name == "alpha_k" and multiplicity == "triplet":
            continue
        expected = central(
            lambda x, name=name, value=value: loss(
                molecule, multiplicity, scalars=between.scalars._replace(**{name: value + x})
            )
        )
        assert_derivative(getattr(bar.scalars, name), expected)
    for name in ("hardness", "exchange"):
        start = getattr(between, name)
        direction = np.random.default_rng(3).standard_normal(start.shape)
        if name == "exchange":  # a constant without shells has no effect
            direction[molecule.structure.numbers == 1] = 0.0
        expected = central(
            lambda x, name=name, start=start, d=direction: loss(
                molecule, multiplicity, **{name: start + x * d}
            )
        )
        assert_derivative((getattr(bar, name) * direction).sum(), expected)


def test_adjoint_is_as_good_with_davidson_vectors(monkeypatch):
    molecule = distorted("C5H5N", amplitude=0.1)
    between = molecule.interaction(CORRECTED)
    dense = excite(molecule.state, between, N_STATE)
    davidson_only(monkeypatch)
    found = excite(molecule.state, between, N_STATE)
    one, two = (excite_adjoint(s, molecule.state, between, ENERGIES_BAR) for s in (dense, found))
    assert np.abs(one.hamiltonian).max() > 0.1
    np.testing.assert_allclose(two.hamiltonian, one.hamiltonian, atol=1e-4)
    np.testing.assert_allclose(two.positions, one.positions, atol=1e-6)


@pytest.mark.parametrize(
    ("forward", "adjoint"),
    [(screened, screened_adjoint), (missing_exchange, missing_exchange_adjoint)],
)
def test_gamma_dot_product_identity(forward, adjoint):
    """<gamma_bar, d gamma> = <adjoint(gamma_bar), d arguments> for a random direction."""
    rng = np.random.default_rng(4)
    positions, hardness = 4.0 * rng.standard_normal((5, 3)), rng.uniform(0.2, 0.7, 5)
    gamma_bar = rng.standard_normal((5, 5))
    moves = rng.standard_normal((5, 3)), rng.standard_normal(5), 0.3, -0.4
    expected = central(
        lambda x: (
            gamma_bar
            * forward(
                positions + x * moves[0], hardness + x * moves[1], 0.8 + x * 0.3, 1.4 - x * 0.4
            )
        ).sum()
    )
    bars = adjoint(positions, hardness, 0.8, 1.4, gamma_bar)
    actual = sum(np.sum(bar * move) for bar, move in zip(bars, moves, strict=True))
    assert_derivative(actual, expected)
