"""Tables: what is cut on narrow screens, what is said once, and what is noise."""

import pytest
from molecules import distorted, parameters_of, random_model

from mlsemi.draw import report
from mlsemi.evaluate import singlepoint
from mlsemi.molecule.structure import Structure


def record(states, **more):
    return {
        "structure": {"symbols": ["C", "O", "H", "H"], "charge": 0},
        "parameters": {"name": "some", "checksum": "0123456789"},
        "n_occupied": 37,
        "excitations": {"singlets": states},
        **more,
    }


def state(energy=5.297, spread=0.13, rotatory=-12.34):
    parts = [{"from": 36 - k, "to": 37 + k, "weight": 0.3} for k in range(3)]
    return {
        "energy_ev": energy,
        "uncertainty_ev": spread,
        "wavelength_nm": 1239.84 / energy,
        "oscillator_strength": 0.2971,
        "rotatory_strength_1e40_cgs": rotatory,
        "character": "pi-sigma*",
        "contributions": parts,
    }


def test_numbers_of_states_are_never_cut():
    """Long contributions once squeezed energies to `5.297 ± 0.…`."""
    text = report.states_text(record([state(), state(spread=0.24)]), "t", width=60)
    rows = [line for line in text.splitlines() if line.startswith("S1")]
    for number in ("5.297 ± 0.13", "234.1", "0.2971", "-12.34", "pi-sigma*"):
        assert number in rows[0]
    assert "30%" not in rows[0]
    whole = report.states_text(record([state(), state(spread=0.24)]), "t")
    assert whole.count("LUMO+2 30%") == 2


def test_an_uncertainty_of_all_states_is_said_once_and_against_what():
    states = [state(), state(6.1)]
    text = report.states_text(record(states, uncertainty={"excitations_against": "x/y"}), "t")
    assert text.count("±") == 1
    assert text.splitlines()[-1] == (
        "All energies ± 0.13 eV: one standard deviation against x/y, not against experiment"
    )
    differing = report.states_text(record([state(), state(6.1, 0.5)]), "t")
    assert "5.297 ± 0.13" in differing
    assert "6.100 ± 0.50" in differing
    assert "not against experiment" in differing
    none = state() | {"uncertainty_ev": None}
    assert "±" not in report.states_text(record([none]), "t")


@pytest.mark.parametrize(("rotatory", "shown"), [(0.116, False), (-0.29, False), (-2.0, True)])
def test_rotatory_strengths_that_are_noise_are_left_out(rotatory, shown):
    states = [state(rotatory=0.01), state(6.1, rotatory=rotatory)]
    assert ("cgs" in report.states_text(record(states), "t")) is shown
    assert "cgs" in report.states_text(record(states), "t", rotatory=True)


def test_names_stand_in_the_heading():
    assert "a.sdf, frame 3: aspirin" in report.states_text(
        record([state()], name="aspirin"), "a.sdf, frame 3"
    )


def test_an_ion_of_a_radical_has_a_dash_for_its_energy():
    neutral, methyl = distorted("HCOOH"), distorted("CH4")
    ion = Structure(methyl.numbers[:4], methyl.positions[:4], 1)
    parameters = parameters_of(random_model(seed=8))
    for structure, words in ((ion, "; energy -\n"), (neutral, " eV; of it dispersion ")):
        found = singlepoint(structure, parameters=parameters).to_dict()
        assert words in report.result_text(found, "x.xyz", 120)
