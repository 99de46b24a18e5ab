"""Uncertainties: first-order changes are derivatives, and nothing depends on the point of view."""

import naive
import numpy as np
import pytest
from harness import assert_equivariant, derivative
from molecules import SMALL, distorted, gapped_model, parameters_of

from mlsemi import singlepoint
from mlsemi.draw.report import json_line
from mlsemi.excited.states import ExcitedStates
from mlsemi.kernels.response import transition_populations
from mlsemi.model.committee import Calibration, Committee
from mlsemi.molecule.elements import n_orbital_of
from mlsemi.orbitals import eigen, observables
from mlsemi.records.uncertainty import (
    Uncertainty,
    charge_response,
    excitation_populations,
    shell_populations,
    shells_of,
)

STRUCTURE = distorted("CH3CONH2")
MODEL = gapped_model([STRUCTURE])
N_MEMBER = 5


def committee(calibration=None, seed=0):
    shape = (len(SMALL.elements), 1 + SMALL.n_invariant, 3, N_MEMBER)
    return Committee(
        1e-3 * np.random.default_rng(seed).normal(size=shape), calibration or {}, np.ones(shape[0])
    )


PARAMETERS = parameters_of(MODEL)
WITH = PARAMETERS.with_committee(
    committee({"homo": Calibration(2.0, 0.001), "charges": Calibration(3.0)}), {"seed": 0}
)


@pytest.fixture(scope="module")
def result():
    return singlepoint(STRUCTURE, parameters=WITH, singlets=3)


def test_shells_of_a_structure():
    atom, kind, start = shells_of(STRUCTURE)
    expected = []
    orbital = 0
    for a, z in enumerate(STRUCTURE.numbers.tolist()):
        expected.append((a, 0, orbital))
        if n_orbital_of(z) > 1:
            expected.append((a, 1, orbital + 1))
        orbital += n_orbital_of(z)
    assert list(zip(atom, kind, start, strict=True)) == expected


def test_transition_populations_match_their_twin():
    rng = np.random.default_rng(1)
    orbitals, group = rng.normal(size=(7, 7)), np.array([0, 0, 1, 2, 2, 2, 3])
    found = transition_populations(orbitals, 3, group, 4)
    expected = naive.transition_populations(orbitals, 3, group, 4)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def shifted_state(result, shell_shifts, t):
    """Eigenstates of H_o with the levels of the shells shifted."""
    state = result.state
    matrix = (state.orbitals * state.energies) @ state.orbitals.T
    start = shells_of(result.structure)[2]
    sizes = np.diff(start, append=state.energies.size)
    return eigen.solve(
        matrix + t * np.diag(np.repeat(shell_shifts, sizes)), result.structure.n_electron
    )


def test_levels_and_charges_change_to_first_order(result):
    structure = result.structure
    d = np.random.default_rng(3).normal(size=shells_of(structure)[0].size)
    energies = shell_populations(structure, result.state.orbitals).T @ d
    charges = charge_response(structure, result.state) @ d
    assert min(np.abs(energies).max(), np.abs(charges).max()) > 1e-2
    for p in (0, result.state.n_occupied - 1, result.state.n_occupied, -1):
        found = derivative(lambda t, p=p: shifted_state(result, d, t).energies[p], step=1e-3)
        assert found == pytest.approx(energies[p], abs=1e-8)
    for a in range(structure.n_atom):
        found = derivative(
            lambda t, a=a: observables.lowdin_charges(
                structure, shifted_state(result, d, t).density
            )[a],
            step=1e-3,
        )
        assert found == pytest.approx(charges[a], abs=1e-8)
    assert charges.sum() == pytest.approx(0.0, abs=1e-12)


def test_excitations_change_as_their_particles_and_holes(result):
    """<X| dA |X> with dA = delta_ij F_ab - delta_ab F_ij, F = C^T diag(d) C."""
    states, state = result.singlets, result.state
    assert isinstance(states, ExcitedStates)
    start = shells_of(STRUCTURE)[2]
    d = np.random.default_rng(4).normal(size=start.size)
    diagonal = np.repeat(d, np.diff(start, append=state.energies.size))
    f = state.orbitals.T @ np.diag(diagonal) @ state.orbitals
    n = state.n_occupied
    found = excitation_populations(STRUCTURE, state, states) @ d
    for k in range(states.n_state):
        x = states.amplitudes[k]
        expected = np.sum(x * (x @ f[n:, n:])) - np.sum(x * (f[:n, :n] @ x))
        assert found[k] == pytest.approx(expected, abs=1e-12)
        assert abs(expected) > 1e-3


def test_spread_of_the_members(result):
    """Root mean square over members that are followed one by one, times the calibration."""
    pairs_shifts = result.uncertainty.shifts
    assert pairs_shifts.shape == (STRUCTURE.n_atom, 3, N_MEMBER)
    homo, gap, charges, energy = [], [], [], []
    for k in range(N_MEMBER):
        one = Uncertainty(STRUCTURE, result.state, pairs_shifts[:, :, k : k + 1], {})
        homo.append(one.level_shifts[result.state.n_occupied - 1, 0])
        gap.append(one.level_shifts[result.state.n_occupied, 0] - homo[-1])
        charges.append(one.charge_shifts[:, 0])
        energy.append(one.shifts[:, 2].sum())
    u = result.uncertainty
    spread = np.sqrt(np.mean(np.square(homo)))
    assert u.homo == pytest.approx(np.hypot(2.0 * spread, 0.001))
    assert u.gap == pytest.approx(np.sqrt(np.mean(np.square(gap))))
    assert u.energy == pytest.approx(np.sqrt(np.mean(np.square(energy))))
    np.testing.assert_allclose(u.charges, 3.0 * np.sqrt(np.mean(np.square(charges), axis=0)))
    assert u.energies[result.state.n_occupied - 1] == pytest.approx(spread)
    assert u.energies[result.state.n_occupied] == pytest.approx(u.lumo)


def test_does_not_depend_on_the_point_of_view():
    def observe(structure):
        r = singlepoint(structure, parameters=WITH, singlets=2)
        u = r.uncertainty
        numbers = np.array([u.homo, u.lumo, u.gap, u.dipole, u.energy])
        return {
            "numbers": ("number", numbers * 100.0),
            "energies": ("number", u.energies),
            "excitations": ("number", u.excitations(r.singlets)),
            "charges": ("atom", u.charges),
        }

    assert_equivariant(observe, STRUCTURE, atol=1e-9)


def test_record_holds_what_the_result_holds(result):
    record = result.to_dict()
    entry = record["uncertainty"]
    assert len(entry["orbital_energies_ev"]) == len(record["orbital_energies_ev"])
    assert len(entry["charges_e"]) == STRUCTURE.n_atom
    assert entry["homo_ev"] > 0.0
    spread = [state["uncertainty_ev"] for state in record["excitations"]["singlets"]]
    assert len(spread) == 3
    assert min(spread) > 0.0
    assert "uncertainty" in json_line(record)


def test_without_a_committee_there_is_none():
    plain = singlepoint(STRUCTURE, parameters=PARAMETERS, singlets=1)
    assert plain.uncertainty is None
    record = plain.to_dict()
    assert "uncertainty" not in record
    assert "uncertainty_ev" not in record["excitations"]["singlets"][0]


def test_predictions_and_checksum_stay(result):
    plain = singlepoint(STRUCTURE, parameters=PARAMETERS)
    np.testing.assert_array_equal(plain.state.energies, result.state.energies)
    assert PARAMETERS.checksum == WITH.checksum


def test_all_orbitals_filled():
    """Helium-like: no virtual orbital, so no LUMO and no response of charges."""
    he = distorted("H2")
    r = singlepoint(type(he)(he.numbers, he.positions, charge=-2), parameters=WITH)
    assert r.state.n_occupied == r.state.energies.size
    assert np.isnan(r.uncertainty.lumo)
    assert np.isnan(r.uncertainty.gap)
    assert not r.uncertainty.charges.any()


@pytest.mark.parametrize(("charge", "move"), [(2, 0.0), (0, 40.0)])
def test_the_energy_of_ions_and_several_molecules_has_none(charge, move):
    """All members are wrong together; levels keep theirs, the JSON says null."""
    one = STRUCTURE
    if move:
        x = np.concatenate([one.positions, one.positions + move])
        changed = type(one)(np.tile(one.numbers, 2), x)
    else:
        changed = type(one)(one.numbers, one.positions, charge)
    spread = singlepoint(changed, parameters=WITH).uncertainty
    assert np.isnan(spread.energy)
    assert '"energy_ev": null' in json_line(spread.to_dict())
    assert spread.homo > 0.0
    assert singlepoint(one, parameters=WITH).uncertainty.energy > 0.0


@pytest.mark.parametrize(("charge", "multiplicity"), [(1, 2), (0, 3)])
def test_open_shells_have_none(charge, multiplicity):
    changed = type(STRUCTURE)(STRUCTURE.numbers, STRUCTURE.positions, charge, multiplicity)
    result = singlepoint(changed, parameters=WITH)
    assert result.uncertainty is None
    assert "uncertainty" not in result.to_dict()
