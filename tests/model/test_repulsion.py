"""The short-range wall: its published form, its range, its slope."""

import numpy as np
import pytest
from harness import assert_adjoint
from molecules import distorted, moved, random_model

from mlsemi.model.terms.repulsion import SHARE, repulsion, repulsion_adjoint
from mlsemi.molecule.elements import covalent_radius
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

ELEMENTS = (1, 6, 7, 8)
CUTOFF = 6.5


def pair_energy(z, distance):
    structure = Structure(z, [[0.0, 0.0, 0.0], [0.0, 0.0, distance]], charge=sum(z) % 2)
    return repulsion(PairList.of([structure], ELEMENTS, CUTOFF), ELEMENTS)[0].sum()


def squeezed():
    """Acetamide at two thirds of its size: many pairs within the range."""
    structure = distorted("CH3CONH2", amplitude=0.02)
    return moved(structure, 0.65 * structure.positions)


def test_screened_coulomb():
    """Two nitrogens at 0.6 angstrom, the slow way and in eV: a screened Coulomb law."""
    r, reach = 0.6, SHARE * 2.0 * covalent_radius(7) * BOHR_ANGSTROM
    a = 0.8854 * 0.529177 / (2.0 * 7.0**0.23)
    terms = ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162))
    screening = sum(c * np.exp(-d * r / a) for c, d in terms)
    x = r / reach
    expected = 49.0 * 14.39964 / r * screening * (1.0 - 28.0 * x**6 + 48.0 * x**7 - 21.0 * x**8)
    assert pair_energy([7, 7], r / BOHR_ANGSTROM) * HARTREE_EV == pytest.approx(expected, rel=1e-5)
    assert expected > 30.0


@pytest.mark.parametrize("z", [(1, 1), (1, 6), (6, 8)])
def test_range(z):
    reach = SHARE * (covalent_radius(z[0]) + covalent_radius(z[1]))
    assert pair_energy(z, 1.0001 * reach) == 0.0
    assert 0.0 < pair_energy(z, 0.999 * reach) < 1e-6
    energies = [pair_energy(z, f * reach) for f in (0.55, 0.65, 0.75, 0.85, 0.95)]
    assert (np.diff(energies) < 0.0).all()


def test_molecules_do_not_feel_it():
    for name in ("CH3CONH2", "HCN", "CH3NO2", "C2H2"):
        structure = distorted(name, amplitude=0.0)
        assert not repulsion(PairList.of([structure], ELEMENTS, CUTOFF), ELEMENTS)[0].any()


def test_adjoint():
    structure = squeezed()

    def forward(positions):
        pairs = PairList.of([moved(structure, positions)], ELEMENTS, CUTOFF)
        return repulsion(pairs, ELEMENTS)[0]

    def adjoint(bar):
        pairs = PairList.of([structure], ELEMENTS, CUTOFF)
        _, record = repulsion(pairs, ELEMENTS)
        distance_bar = np.zeros(pairs.first.size)
        repulsion_adjoint(pairs, record, bar, distance_bar)
        return (pairs.adjoint(distance_bar, np.zeros_like(pairs.sphere)),)

    assert_adjoint(forward, adjoint, [structure.positions], step=5e-3)


def test_it_is_part_of_the_energy():
    model = random_model()
    pairs = PairList.of([squeezed()], model.form.elements, model.form.cutoff)
    wall, _ = repulsion(pairs, model.form.elements)
    assert wall.sum() > 1.0
    silent = type(model)(
        model.form, {name: np.zeros_like(value) for name, value in model.weights.items()}
    )
    np.testing.assert_allclose(silent.predict(pairs)[0].atom_energies, wall, atol=1e-14)
    np.testing.assert_allclose(
        silent.predict(pairs, ("atom_energies",))[0].atom_energies, wall, atol=1e-14
    )
