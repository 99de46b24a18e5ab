"""Excited states in a solvent: linear response, state-specific terms, shifts people know."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read
from huckel import distorted as huckel_distorted
from molecules import distorted, symmetric
from test_excitations import PLAIN, naive_matrix

from mlsemi.evaluate import singlepoint
from mlsemi.excited.excitations import excite
from mlsemi.excited.method import Method
from mlsemi.excited.states import SolventTerms
from mlsemi.parameters import Parameters
from mlsemi.response.cavity import Cavity
from mlsemi.response.solvated_excitations import SolvatedExcitations, shifts
from mlsemi.response.solvents import solvent_of
from mlsemi.units import HARTREE_EV

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ORGANIC = Parameters.load("organic-1")
WATER = solvent_of("water")
FULL = Method(full=True)


@pytest.fixture(scope="module")
def acid():
    structure = distorted("HCOOH")
    return singlepoint(structure, solvent="water", singlets=8, triplets=4, parameters=ORGANIC)


def transition_charges(result, X):
    """(n_state, n_atom), every loop written out."""
    C, n = result.state.orbitals, result.state.n_occupied
    atom = result.basis.orbital_atom
    q = np.zeros((len(X), result.structure.n_atom))
    for k, i, a in np.ndindex(X.shape):
        for mu in range(len(C)):
            q[k, atom[mu]] += X[k, i, a] * C[mu, i] * C[mu, n + a]
    return q


def test_linear_response_adds_to_the_exchange_integrals():
    """A + 2 q_ia K_fast q_jb, with every loop of A written out."""
    formaldehyde = huckel_distorted("H2CO")
    structure, state = formaldehyde.structure, formaldehyde.state
    solvated = SolvatedExcitations(structure, Cavity.of(structure), WATER)
    between = formaldehyde.interaction(PLAIN)
    n, C = state.n_occupied, state.orbitals
    populations = np.zeros((structure.n_atom, n, C.shape[0] - n))
    for mu, atom in enumerate(between.orbital_atom):
        populations[atom] += np.outer(C[mu, :n], C[mu, n:])
    q = populations.reshape(structure.n_atom, -1)
    correction = 2.0 * q.T @ solvated.fast @ q
    for multiplicity, factor in (("singlet", 1.0), ("triplet", 0.0)):
        plain = naive_matrix(state, between, multiplicity)
        dense = np.linalg.eigvalsh(plain + factor * correction)
        found = excite(state, solvated.interaction(between), len(dense), multiplicity)
        np.testing.assert_allclose(found.energies, dense, atol=1e-9)
        moved = np.abs(dense - np.linalg.eigvalsh(plain)).max()
        assert (moved > 1e-3) == (factor == 1.0)


def test_terms_are_what_they_say(acid):
    """Charges of states, of transitions, and quadratic forms of them."""
    states, state = acid.singlets, acid.state
    solvated = SolvatedExcitations.of(acid.response.embedding)
    n, C, atom = state.n_occupied, state.orbitals, acid.basis.orbital_atom
    q = transition_charges(acid, states.amplitudes)
    np.testing.assert_allclose(
        states.solvent.linear_response,
        2.0 * np.einsum("ka,ab,kb->k", q, solvated.fast, q),
        atol=1e-12,
    )
    for k, X in enumerate(states.amplitudes):
        P = C[:, n:] @ X.T @ X @ C[:, n:].T - C[:, :n] @ X @ X.T @ C[:, :n].T
        dq = -np.bincount(atom, np.diag(P))
        assert dq.sum() == pytest.approx(0.0, abs=1e-12)
        specific = 0.5 * dq @ solvated.fast @ dq
        assert states.solvent.state_specific[k] == pytest.approx(specific, abs=1e-12)
        emission = states.energies[k] + dq @ solvated.slow @ dq
        assert states.solvent.emission[k] == pytest.approx(emission, abs=1e-12)
    assert (states.solvent.state_specific <= 0.0).all()
    assert (states.solvent.linear_response <= 0.0).all()
    assert (states.solvent.emission <= states.energies).all()
    np.testing.assert_allclose(
        solvated.fast + solvated.slow, WATER.factor * solvated.cavity.between_charges, atol=1e-14
    )


def test_triplets_have_no_linear_response(acid):
    assert not acid.triplets.solvent.linear_response.any()
    assert acid.triplets.solvent.state_specific.min() < -1e-5


def test_states_are_ordered_and_none_is_missed(acid):
    for states in (acid.singlets, acid.triplets):
        assert (np.diff(states.energies) >= 0.0).all()
    for n in (1, 3):
        fewer = singlepoint(acid.structure, solvent="water", singlets=n, parameters=ORGANIC)
        assert fewer.singlets.n_state == n
        np.testing.assert_allclose(fewer.singlets.energies, acid.singlets.energies[:n], atol=1e-6)
    bound = 0.5 * (acid.singlets.energies[4] + acid.singlets.energies[5])
    below = singlepoint(acid.structure, solvent="water", max_energy=bound, parameters=ORGANIC)
    np.testing.assert_allclose(below.singlets.energies, acid.singlets.energies[:5], atol=1e-6)
    every = singlepoint(distorted("H2"), solvent="water", singlets=9, parameters=ORGANIC)
    assert every.singlets.n_state == 1
    assert "only 1 singlets exist" in every.warnings[-1]


def test_reordered_keeps_everything_together(acid):
    order = np.array([3, 0, 2, 1, 7, 5, 6, 4])
    mixed = acid.singlets.picked(order)
    assert not (np.diff(mixed.energies) >= 0.0).all()
    back = mixed.picked(np.argsort(mixed.energies))
    for name in ("energies", "amplitudes", "oscillator_strengths", "transition_dipoles"):
        np.testing.assert_array_equal(getattr(back, name), getattr(acid.singlets, name))
    assert isinstance(back.solvent, SolventTerms)
    for term, own in zip(back.solvent, acid.singlets.solvent, strict=True):
        np.testing.assert_array_equal(term, own)
    few = singlepoint(
        acid.structure,
        solvent="water",
        singlets=3,
        method=Method(selection=1e-4),
        parameters=ORGANIC,
    ).singlets
    turned = few.picked(np.array([2, 0, 1])).picked(np.array([1, 2, 0]))
    np.testing.assert_array_equal(turned.window[1], few.window[1])
    np.testing.assert_array_equal(turned.selection_errors, few.selection_errors)
    np.testing.assert_allclose(few.energies, acid.singlets.energies[:3], atol=2e-4)


@pytest.mark.parametrize("method", [Method(), FULL])
def test_dielectric_constant_one_is_empty_space(method):
    structure = distorted("CH3NO2")
    gas = singlepoint(structure, singlets=5, triplets=3, method=method, parameters=ORGANIC)
    one = singlepoint(
        structure, singlets=5, triplets=3, method=method, solvent=1.0, parameters=ORGANIC
    )
    for name in ("singlets", "triplets"):
        in_gas, in_one = getattr(gas, name), getattr(one, name)
        np.testing.assert_allclose(in_one.energies, in_gas.energies, atol=1e-7)
        strengths = in_gas.oscillator_strengths
        np.testing.assert_allclose(in_one.oscillator_strengths, strengths, atol=1e-6)
        for term in (in_one.solvent.linear_response, in_one.solvent.state_specific):
            assert not term.any()
        np.testing.assert_allclose(in_one.solvent.emission, in_one.energies, atol=1e-12)
        np.testing.assert_allclose(in_one.solvent.shift, 0.0, atol=1e-7)


def test_degenerate_states_stay_degenerate():
    """Benzene: the points of the cavity leave half a millielectronvolt."""
    benzene, _ = symmetric("C6H6")
    gas = singlepoint(benzene, singlets=6, parameters=ORGANIC).singlets
    water = singlepoint(benzene, singlets=6, solvent="water", parameters=ORGANIC).singlets
    assert gas.energies[3] - gas.energies[2] < 1e-8
    for quantity in (
        water.energies,
        water.solvent.shift,
        water.solvent.linear_response,
        water.solvent.emission,
    ):
        assert abs(quantity[3] - quantity[2]) * HARTREE_EV < 1e-3
    assert water.solvent.state_specific[2] == pytest.approx(
        water.solvent.state_specific[3], abs=1e-7
    )
    assert water.solvent.shift[2] * HARTREE_EV < -0.1  # bright: by its transition charges
    assert abs(water.solvent.shift[0]) * HARTREE_EV < 1e-3  # dark by symmetry


def state_of(record, character, least=0.0):
    return next(
        s
        for s in record["excitations"]["singlets"]
        if s["character"] == character and s["oscillator_strength"] >= least
    )


@pytest.mark.parametrize(
    ("atoms", "character", "bright", "hexane", "water"),
    [
        # measured in water less in the gas: acetone 0.2 eV, p-nitroaniline -1.0 eV
        (molecule("CH3COCH3"), "n-pi*", 0.0, (0.0, 0.08), (0.1, 0.3)),
        (molecule("H2CO"), "n-pi*", 0.0, (0.0, 0.08), (0.03, 0.3)),
        (read(EXAMPLES / "p-nitroaniline.xyz"), "pi-pi*", 0.3, (-0.8, -0.3), (-1.2, -0.6)),
    ],
    ids=["acetone", "formaldehyde", "p-nitroaniline"],
)
def test_blue_and_red_shifts(atoms, character, bright, hexane, water):
    gas = state_of(singlepoint(atoms, singlets=5, parameters=ORGANIC).to_dict(), character, bright)
    assert "solvent_shift_ev" not in gas
    for solvent, (low, high) in (("hexane", hexane), ("water", water)):
        record = singlepoint(atoms, singlets=5, solvent=solvent, parameters=ORGANIC).to_dict()
        state = state_of(record, character, bright)
        shift = state["energy_ev"] - gas["energy_ev"]
        assert low < shift < high
        assert state["solvent_shift_ev"] == pytest.approx(shift, abs=1e-5)
        assert state["emission_ev"] <= state["energy_ev"] + 1e-2


def test_an_ion_shifts_from_the_ion_without_the_solvent():
    structure = distorted("HCOOH")
    given = {"charge": -2, "triplets": 3, "parameters": ORGANIC}
    dry = singlepoint(structure, **given).triplets
    wet = singlepoint(structure, solvent="acetone", **given).triplets
    known = np.isfinite(wet.solvent.shift)
    assert known.any()
    for k in np.flatnonzero(known):
        assert np.abs(wet.energies[k] - wet.solvent.shift[k] - dry.energies).min() < 1e-6


def test_a_state_that_is_new_has_no_shift(acid):
    state, states = acid.state, acid.singlets
    alone = shifts(states, state, states.picked(np.array([1])), state)
    assert alone[1] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(alone[[0, 2, 3]]).all()
    changed = replace(states, solvent=states.solvent._replace(shift=alone))
    record = replace(acid, singlets=changed).to_dict()
    found = [s["solvent_shift_ev"] for s in record["excitations"]["singlets"]]
    assert found[1] == pytest.approx(0.0, abs=1e-9)
    assert found[0] is None
