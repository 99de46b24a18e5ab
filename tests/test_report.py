"""Tables on narrow screens."""

import io

from molecules import distorted, parameters_of, random_model
from rich.console import Console

from mlsemi import report
from mlsemi.singlepoint import singlepoint
from mlsemi.structure import Structure


def test_numbers_of_states_are_never_cut():
    """Long contributions once squeezed energies to `5.297 ± 0.…`."""
    parts = [{"from": 36 - k, "to": 37 + k, "weight": 0.3} for k in range(3)]
    state = {"energy_ev": 5.297, "uncertainty_ev": 0.13, "wavelength_nm": 234.1}
    state |= {"oscillator_strength": 0.2971, "rotatory_strength_1e40_cgs": -12.34}
    state |= {"character": "pi-sigma*", "contributions": parts}
    text = io.StringIO()
    Console(file=text, width=80).print(report._states("singlets", [state], 37))
    for number in ("5.297 ± 0.13", "234.1", "0.2971", "-12.34", "pi-sigma*"):
        assert number in text.getvalue()


def test_an_ion_of_a_radical_has_a_dash_for_its_energy():
    neutral, methyl = distorted("HCOOH"), distorted("CH4")
    ion = Structure(methyl.numbers[:4], methyl.positions[:4], 1)
    parameters = parameters_of(random_model(seed=8))
    for structure, words in ((ion, "; energy -\n"), (neutral, " eV; of it dispersion ")):
        text = io.StringIO()
        record = singlepoint(structure, parameters=parameters).to_dict()
        report.print_result(Console(file=text, width=120), record, "x.xyz")
        assert words in text.getvalue()
