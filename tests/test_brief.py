"""Nothing that a user meets at a prompt fills it."""

import numpy as np
import pytest
from ase.build import molecule
from molecules import distorted, gapped_model, parameters_of

from mlsemi import singlepoint
from mlsemi.draw.spectrum import Lines, spectrum
from mlsemi.ground.state import GroundState

STRUCTURE = distorted("CH3CONH2")


@pytest.fixture(scope="module")
def result():
    return singlepoint(
        STRUCTURE, parameters=parameters_of(gapped_model([STRUCTURE])), singlets=4, triplets=1
    )


def test_a_result_is_one_line(result):
    assert repr(result).startswith("Result(C2H5NO, charge 0, ")
    assert ", 4 singlets, 1 triplet, " in repr(result)
    assert f"{result.energy * 27.211386245988:.4f} eV" in repr(result)
    assert repr(STRUCTURE) == "Structure(C2H5NO, 9 atoms, charge 0)"


def test_everything_is_short(result):
    ground = GroundState(*(np.zeros((9, 9)),) * 2, *(np.zeros(9),) * 3, 0.0, None)
    things = (
        result,
        result.structure,
        result.parameters,
        result.parameters.model,
        result.state,
        result.frame,
        result.basis,
        result.singlets,
        result.analysis(result.singlets),
        Lines.of(result.singlets),
        spectrum(result.singlets),
        ground,
    )
    for thing in things:
        assert len(repr(thing)) < 500, type(thing)
        assert repr(thing).count("\n") == 0
        assert repr(thing).startswith(type(thing).__name__ + "(")


def test_a_card_for_notebooks(result):
    html = result._repr_html_()
    for text in ("C2H5NO", "energy", "4, the lowest at", "<svg", "</svg>"):
        assert text in html
    assert len(html) < 100_000
    plain = singlepoint(STRUCTURE, parameters=result.parameters)._repr_html_()
    assert html.count("<svg") == plain.count("<svg") + 1  # the spectrum beside the molecule


def test_plot_is_the_spectrum_or_the_levels(result):
    assert len(result.plot().axes) == 2
    (levels,) = singlepoint(STRUCTURE, parameters=result.parameters).plot().axes
    assert levels.get_ylabel() == "orbital energy / eV"
    low, high = levels.get_ylim()
    assert low < result.state.homo * 27.2114 < result.state.lumo * 27.2114 < high


def test_radicals_without_an_energy_show_themselves_too():
    """Their energy is not known, and their frontier levels are those of either spin."""
    radical = singlepoint(molecule("CH3"))
    assert radical.energy is None
    assert "multiplicity 2, organic-1.1, energy -, gap" in repr(radical)
    assert "<td style='text-align:left'>-</td>" in radical._repr_html_()
    assert radical.plot() is not None
