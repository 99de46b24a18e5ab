"""strengths_adjoint against differences, on molecules without symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from huckel import distorted, named
from test_excitations import CORRECTED, davidson_only

from mlsemi.errors import InputError
from mlsemi.excited.excitations import excite
from mlsemi.excited.intensities import intensities, strengths_adjoint
from mlsemi.excited.interaction import interaction
from mlsemi.orbitals.eigen import solve

FACTOR = 0.9
STRENGTHS_BAR = np.array([0.7, -1.1, 0.4, 1.3, 0.2])
STEP = 2e-5


def bright(molecule, n_state=5, state=None, between=None, dipole=None):
    """Singlets with intensities."""
    state = state or molecule.state
    between = between or molecule.interaction(CORRECTED)
    operators = list(molecule.operators())
    if dipole is not None:
        operators[0] = dipole
    states = excite(state, between, n_state, tolerance=1e-11)
    return intensities(states, state.orbitals, *operators, FACTOR)


def loss(molecule, **changed):
    """sum_k f_bar_k f_k."""
    return STRENGTHS_BAR @ bright(molecule, **changed).oscillator_strengths


def central(function):
    """Fourth-order central difference of a function of one number at 0."""
    near, far = function(STEP) - function(-STEP), function(2 * STEP) - function(-2 * STEP)
    return (8.0 * near - far) / (12.0 * STEP)


@pytest.fixture(scope="module", params=["dense", "davidson"])
def case(request):
    molecule = distorted("H2CO" if request.param == "dense" else "C5H5N", amplitude=0.1)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "davidson":
            davidson_only(patch)
        states = bright(molecule)
        assert np.diff(states.energies).min() > 2e-3
        dipole = molecule.operators()[0]
        between = molecule.interaction(CORRECTED)
        bars = strengths_adjoint(states, molecule.state, between, dipole, STRENGTHS_BAR, FACTOR)
        yield molecule, *bars


def test_hamiltonian(case):
    molecule, bar, _ = case
    rng = np.random.default_rng(1)
    for _ in range(3):
        direction = rng.standard_normal(molecule.hamiltonian.shape)
        direction += direction.T
        expected = central(
            lambda x, d=direction: loss(
                molecule,
                state=solve(molecule.hamiltonian + x * d, molecule.structure.n_electron),
            )
        )
        assert (bar.hamiltonian * direction).sum() == pytest.approx(expected, rel=2e-5, abs=1e-6)


def test_dipole_integrals(case):
    molecule, _, dipole_bar = case
    dipole = molecule.operators()[0]
    direction = np.random.default_rng(2).standard_normal(dipole.shape)
    direction += direction.transpose(0, 2, 1)
    expected = central(lambda x: loss(molecule, dipole=dipole + x * direction))
    assert (dipole_bar * direction).sum() == pytest.approx(expected, rel=1e-6)


def test_interaction(case):
    molecule, bar, _ = case
    fresh = molecule.interaction(CORRECTED)
    rng = np.random.default_rng(3)
    for name in ("positions", "hardness"):
        start = getattr(fresh, name)
        direction = rng.standard_normal(start.shape)

        def moved(x, name=name, start=start, direction=direction):
            changed = replace(fresh, **{name: start + x * direction})
            return interaction(
                changed.positions,
                changed.orbital_atom,
                molecule.basis.orbital_l,
                changed.hardness,
                changed.exchange,
                changed.scalars,
            )

        expected = central(lambda x, moved=moved: loss(molecule, between=moved(x)))
        assert (getattr(bar, name) * direction).sum() == pytest.approx(expected, rel=2e-5)


def test_degenerate_states_share():
    """The strength of a degenerate level does not depend on how its states are chosen."""
    molecule = named("C6H6")
    states = bright(molecule, 20)
    equal = np.diff(states.energies) < 1e-6
    first = int(np.argmax(equal * states.oscillator_strengths[1:]))
    pair = [first, first + 1]
    assert equal[first]
    assert states.oscillator_strengths[first] > 0.1
    bar = np.zeros(states.n_state)
    bar[pair] = 1.0
    turned = states.amplitudes.copy()
    turned[pair] = np.tensordot(np.array([[0.8, 0.6], [-0.6, 0.8]]), turned[pair], 1)
    between, dipole = molecule.interaction(CORRECTED), molecule.operators()[0]
    other = intensities(
        replace(states, amplitudes=turned), molecule.state.orbitals, *molecule.operators(), FACTOR
    )
    one, two = (
        strengths_adjoint(s, molecule.state, between, dipole, bar, FACTOR)[0].hamiltonian
        for s in (states, other)
    )
    assert np.abs(one).max() > 0.1
    np.testing.assert_allclose(two, one, atol=1e-7)


@pytest.mark.parametrize("name", ["H2CO", "C2H4", "C2H2"])
def test_symmetry_leaves_nothing_to_solve(name):
    """Of the right-hand sides only rounding may remain: that is no failure."""
    molecule = named(name)
    states = bright(molecule, 20)
    at = molecule.state, molecule.interaction(CORRECTED), molecule.operators()[0]
    bar = strengths_adjoint(states, *at, np.ones(states.n_state), FACTOR)[0].hamiltonian
    assert np.isfinite(bar).all()
    assert np.abs(bar).max() > 0.1


def test_only_singlets_have_strengths():
    molecule = named("H2CO")
    between = molecule.interaction(CORRECTED)
    states = excite(molecule.state, between, 2, "triplet")
    with pytest.raises(InputError, match="singlets"):
        strengths_adjoint(states, molecule.state, between, molecule.operators()[0], np.ones(2))
